"""Whether a server can listen where it was asked to."""

import socket

from records.errors import BellwetherError


class AddressError(BellwetherError):
    """The server cannot listen where it was asked to."""


def check_free(host: str, port: int) -> None:
    """Refuse an address that a server could not listen on: it would say so by a traceback.

    Raises:
        AddressError: The address is taken, or is none of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise AddressError(
            f"Cannot listen on {host}:{port}: {(error.strerror or str(error)).lower()}. "
            "Choose another --port or --host, or stop what listens there."
        ) from None
