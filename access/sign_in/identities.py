"""Which person an account at an OpenID provider belongs to."""

from sqlalchemy import select

from access.errors import SignInRefusedError
from access.operation import Operation
from access.people import find_user, get_user
from access.sign_in.id_tokens import Identity
from access.tables import ProviderIdentity


def person_of(operation: Operation, identity: Identity) -> int:
    """Find the person, by the provider's identifier or, the first time, by the address that it vouches for.

    No account is created here: an administrator invites people, and roles are the desk's own.

    Returns:
        The user's number.

    Raises:
        SignInRefusedError: No person of the desk has this account, or the person was disabled.
    """
    user_id = operation.session.scalar(
        select(ProviderIdentity.user_id).where(
            ProviderIdentity.issuer == identity.issuer,
            ProviderIdentity.subject == identity.subject,
        )
    )
    if user_id is not None:
        if get_user(operation.session, user_id).disabled_at is not None:
            raise SignInRefusedError("This account was disabled. Ask an administrator.")
        return user_id
    user = find_user(operation.session, identity.email) if identity.email else None
    if user is None or user.disabled_at is not None:
        raise SignInRefusedError(
            "You have signed in, but have no account at this desk. Ask an administrator to invite you."
        )
    linked = operation.session.scalar(
        select(ProviderIdentity.id).where(
            ProviderIdentity.issuer == identity.issuer, ProviderIdentity.user_id == user.id
        )
    )
    if linked is not None:
        # The address was given to another account of the provider: an administrator has to look at that.
        raise SignInRefusedError("This address belongs to another account. Ask an administrator.")
    operation.session.add(
        ProviderIdentity(
            user_id=user.id,
            issuer=identity.issuer,
            subject=identity.subject,
            created_at=operation.at,
        )
    )
    operation.record("identity.linked", user=user.id)
    return user.id
