"""Would anybody take a certificate now?"""

from __future__ import annotations

import ssl
from pathlib import Path

_DATES = (9, 10)
"""X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED."""


def mistake_of_dates(cert: Path, key: Path) -> str | None:
    """What is wrong with the dates of a certificate, in OpenSSL's words; None where they hold today.

    The standard library reads no dates, but judges them in a handshake: here one of the pair with a caller
    who trusts that certificate itself.

    Args:
        cert, key: PEM files that belong together; the key has no password.
    """
    server, caller = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.load_cert_chain(cert, key)
    caller.check_hostname = False
    caller.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    caller.load_verify_locations(cert)
    to_caller, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = caller.wrap_bio(to_caller, to_server), server.wrap_bio(to_server, to_caller, server_side=True)
    for end in 2 * ends:
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLCertVerificationError as error:
            return error.verify_message if error.verify_code in _DATES else None
        except ssl.SSLError:
            return None  # something else than dates; callers tell of it
    return None
