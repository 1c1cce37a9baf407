"""`bellwether access`: people, their roles, and the links that let them in."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from cli.access.target import target_of
from cli.console import console

if TYPE_CHECKING:
    from access.operation import Operation
    from access.roles import Grant
    from access.sign_in.links import Purpose
    from access.tables import User

Email = Annotated[str, typer.Argument(help="Address by which the person signs in.")]
RoleArgument = Annotated[
    str,
    typer.Argument(
        metavar="ROLE[:PROGRAMME]",
        help="viewer, adviser, lead, administrator or auditor; for all programmes unless one is named.",
    ),
]


def create_user(
    context: typer.Context,
    email: Email,
    name: Annotated[str, typer.Option(help="Name to show.")],
    role: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROLE[:PROGRAMME]",
            help="viewer, adviser, lead, administrator or auditor; may be given several times.",
        ),
    ] = None,
) -> None:
    """Create a person, and print a one-time link that lets them in within 30 minutes."""
    from access.people import create_user as create
    from access.sign_in.links import Purpose

    grants = [_grant(one) for one in role or []]
    with target_of(context).operate() as operation:
        user = create(operation, email, name, grants)
        address = _link(context, operation, user, Purpose.SIGN_IN)
    console.print(f"Created user {user.id}, {user.email}. Sign in once within 30 minutes:")
    console.print(address, soft_wrap=True, highlight=False)


def people(context: typer.Context) -> None:
    """List people with their roles."""
    from access.people import list_people

    table = Table("id", "address", "name", "roles", "state")
    with target_of(context).open() as opened, opened.database.read() as session:
        for person in list_people(session):
            roles = ", ".join(
                f"{grant.role}:{grant.programme}" if grant.programme else grant.role
                for grant in person.grants
            )
            state = "enabled" if person.is_enabled else "disabled"
            factor = ", one-time passwords" if person.has_totp else ""
            table.add_row(str(person.id), person.email, person.name, roles, state + factor)
    console.print(table)


def grant(context: typer.Context, email: Email, role: RoleArgument) -> None:
    """Give a person a role; it holds from the next request on."""
    from access.people import grant_role

    with target_of(context).operate() as operation:
        grant_role(operation, _find(operation, email).id, _grant(role))
    console.print("Granted.")


def withdraw(context: typer.Context, email: Email, role: RoleArgument) -> None:
    """Take a role away; the next request no longer has it."""
    from access.people import withdraw_role

    with target_of(context).operate() as operation:
        withdraw_role(operation, _find(operation, email).id, _grant(role))
    console.print("Withdrawn.")


def disable(context: typer.Context, email: Email) -> None:
    """Shut a person out at once; sessions and links end."""
    from access.people import disable_user

    with target_of(context).operate() as operation:
        disable_user(operation, _find(operation, email).id)
    console.print("Disabled.")


def enable(context: typer.Context, email: Email) -> None:
    """Let a person in again."""
    from access.people import enable_user

    with target_of(context).operate() as operation:
        enable_user(operation, _find(operation, email).id)
    console.print("Enabled.")


def link(context: typer.Context, email: Email) -> None:
    """Print a link that lets a person in once, within 30 minutes."""
    from access.sign_in.links import Purpose

    with target_of(context).operate() as operation:
        address = _link(context, operation, _find(operation, email), Purpose.SIGN_IN)
    console.print(address, soft_wrap=True, highlight=False)


def password(
    context: typer.Context,
    email: Email,
    new: Annotated[
        str,
        typer.Option(
            "--new-password",
            prompt=True,
            hide_input=True,
            confirmation_prompt=True,
            help="Asked for on the terminal unless given.",
        ),
    ],
) -> None:
    """Set a person's password; all their sessions end."""
    from access.sign_in.links import Purpose, create_link
    from access.sign_in.recovery import set_password

    target = target_of(context)
    with target.operate() as operation:
        secret = create_link(operation, _find(operation, email).id, Purpose.RESET)
    with target.open() as opened:
        set_password(opened, secret, Purpose.RESET, new)
    console.print("The password is set.")


def forget_totp(context: typer.Context, email: Email) -> None:
    """Ask a person no more for one-time passwords, such as where a device was lost."""
    from access.sign_in.totp import disable_totp

    with target_of(context).operate() as operation:
        disable_totp(operation, _find(operation, email).id)
    console.print("One-time passwords are off.")


def _find(operation: "Operation", email: str) -> "User":
    """Find a person by address.

    Raises:
        UnknownPersonError: There is none.
    """
    from access.errors import UnknownPersonError
    from access.people import find_user

    user = find_user(operation.session, email)
    if user is None:
        raise UnknownPersonError("There is no user with this address.")
    return user


def _grant(written: str) -> "Grant":
    """Read `role` or `role:programme`."""
    from access.roles import Grant, Role

    role, _, programme = written.partition(":")
    if role not in set(Role):
        raise typer.BadParameter(f"'{role}' is no role; choose one of {', '.join(Role)}.")
    return Grant(Role(role), programme or None)


def _link(context: typer.Context, operation: "Operation", user: "User", purpose: "Purpose") -> str:
    """Make a one-time link and write its address."""
    from access.sign_in.links import create_link

    secret = create_link(operation, user.id, purpose)
    return f"{target_of(context).address}/sign-in/link/{secret}"
