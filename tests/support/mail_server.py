"""A mail server that shares no code with ours: mail_server.py FOLDER [--port N] [--tls start|whole] [--login USER:PASSWORD].

Prints its port. Each letter that comes is stored as FOLDER/N.eml, and as Python's own parser reads it as FOLDER/N.json.
What happens to a letter is asked for in the address it goes to: `later@` is put off once (451), `nobody@` refused (550),
`drop@` stored and then hung up on without an answer, the first time; `slow@` stored and answered after a while. FOLDER/tried has a
line for each recipient that was named. With --tls it makes an authority and writes it to FOLDER/ca.pem.
"""

import argparse
import asyncio
import datetime
import ipaddress
import json
import ssl
from email import message_from_bytes, policy
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

SLOW_SECONDS = 4


def read(letter: bytes) -> dict:
    """What a mail program would show of it."""
    message = message_from_bytes(letter, policy=policy.default)
    parts = [part for part in message.walk() if not part.is_multipart()]
    return {
        "headers": [[name, str(value)] for name, value in message.items()],
        "to": [[address.display_name, address.addr_spec] for address in message["to"].addresses],
        "from": [[address.display_name, address.addr_spec] for address in message["from"].addresses],
        "shape": [part.get_content_type() for part in message.walk()],
        "defects": [str(defect) for part in message.walk() for defect in part.defects],
        "longest_line": max(len(line) for line in letter.split(b"\r\n")),
        "parts": [
            {
                "type": part.get_content_type(),
                "name": part.get_filename(),
                "content": part.get_payload(decode=True).decode(part.get_content_charset() or "utf-8"),
            }
            for part in parts
        ],
    }


class Box:
    """Takes letters."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.seen = folder, set()

    def first(self, address: str) -> bool:
        is_first = address not in self.seen
        self.seen.add(address)
        return is_first

    async def handle_RCPT(self, server, session, envelope, address, options):
        with (self.folder / "tried").open("a") as tried:
            tried.write(f"{address}\n")
        if address.startswith("nobody@"):
            return f"550 5.1.1 <{address}>: no such user here"
        if address.startswith("later@") and self.first(address):
            return f"451 4.7.1 <{address}>: greylisted, try again"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        address = envelope.rcpt_tos[0]
        self.store(session, envelope)
        if address.startswith("slow@"):
            await asyncio.sleep(SLOW_SECONDS)
        if address.startswith("drop@") and self.first(address):
            server.transport.abort()
        return "250 OK"

    def store(self, session, envelope) -> None:
        number = len(list(self.folder.glob("*.eml"))) + 1
        (self.folder / f"{number}.eml").write_bytes(envelope.original_content)
        letter = read(envelope.original_content)
        letter |= {
            "sender": envelope.mail_from,
            "recipients": envelope.rcpt_tos,
            "encrypted": session.ssl is not None,
            "signed_in": bool(session.authenticated),
        }
        # Whoever waits for it finds it whole.
        (self.folder / "writing").write_text(json.dumps(letter))
        (self.folder / "writing").rename(self.folder / f"{number}.json")


def certificate(folder: Path) -> ssl.SSLContext:
    """A certificate for this machine by an authority of our own, for a day."""
    now = datetime.datetime.now(datetime.timezone.utc)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]) for name in ("throwaway", "localhost")]

    def made(which: int, is_authority: bool) -> x509.Certificate:
        builder = x509.CertificateBuilder(names[0], names[which], keys[which].public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(hours=1))
        builder = builder.not_valid_after(now + datetime.timedelta(days=1))
        here = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = builder.add_extension(x509.SubjectAlternativeName(here), critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        return builder.sign(keys[0], hashes.SHA256())

    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(made(0, True).public_bytes(pem))
    private = keys[1].private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "server.pem").write_bytes(made(1, False).public_bytes(pem) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


async def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--port", type=int, default=0)
    arguments.add_argument("--tls", choices=["start", "whole"])
    arguments.add_argument("--login")
    given = arguments.parse_args()
    context = certificate(given.folder) if given.tls else None
    settings = {"enable_SMTPUTF8": True, "hostname": "mail.test"}
    if given.tls == "start":
        settings |= {"tls_context": context, "require_starttls": True}
    if given.login:

        def check(server, session, envelope, mechanism, data):
            is_right = f"{data.login.decode()}:{data.password.decode()}" == given.login
            # Not handled: the answer is the server's to give.
            return AuthResult(success=is_right, handled=False)

        settings |= {"authenticator": check, "auth_required": True, "auth_require_tls": given.tls == "start"}
    box = Box(given.folder)
    whole = context if given.tls == "whole" else None
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(box, **settings), "127.0.0.1", given.port, ssl=whole)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
