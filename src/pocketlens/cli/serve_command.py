"""`pocketlens serve`: the page of a lens from this machine, for the phone beside it."""

from __future__ import annotations

from pathlib import Path

import click

from pocketlens.app.serving import lan_address, make_server, terminal_qr
from pocketlens.app.site import site_files
from pocketlens.lensfile.reader import read_lens


@click.command(name="serve")
@click.argument("lens", type=click.Path(path_type=Path))
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True,
              help="0: any that is free.")  # fmt: skip
@click.option("--lan", is_flag=True,
              help="For the local network, with HTTPS and a QR code.")  # fmt: skip
def command(lens: Path, port: int, lan: bool) -> None:
    """Serve the page of LENS until Ctrl-C; to this machine alone, if not told otherwise.

    With --lan, phones in the same network can open it. A phone gives its camera to HTTPS only, so
    the server makes itself a certificate that nobody has signed: the phone will warn once, and
    you have to accept it.

    \b
    pocketlens serve model.lens
    pocketlens serve model.lens --lan
    """
    contents = read_lens(lens)
    files = site_files(contents)
    host = "0.0.0.0" if lan else "127.0.0.1"
    with make_server(files, host=host, port=port, tls=lan) as server:
        port = server.server_address[1]
        address = f"https://{lan_address()}:{port}/" if lan else f"http://127.0.0.1:{port}/"
        if lan:
            click.echo(terminal_qr(address))
            click.echo(
                "The certificate is self-signed: the phone warns once. Accept it only if the "
                "address is the one below."
            )
        click.echo(f"{contents.name}: {address}   (Ctrl-C ends it)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("Ended.")
