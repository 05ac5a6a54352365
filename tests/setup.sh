#!/bin/sh
# Installs what a step needs from Debian's packages, or says what is missing and how to get it.
#   setup.sh build    what compiling needs
#   setup.sh python   what the stand-in for the payment processor and the log's second reader need
#   setup.sh test     what the tests run: encoders (OBS too, and a screen for it), a browser, a spreadsheet, a tracer of system calls, zstd's program
#   setup.sh bench    what the benches compare with: PostgreSQL, nginx with its RTMP module; a browser and an encoder
set -eu

has() { command -v "$1" >/dev/null 2>&1; }

packages=""
need() { # need COMMAND PACKAGE
    has "$1" || packages="$packages $2"
}

case "${1:-}" in
build)
    has cargo || { echo "Rust is missing: install it with rustup (1.94 or newer), then run make again." >&2; exit 1; }
    { has node && has npm; } || { echo "Node.js is missing: install Node 20 or newer with npm, then run make again." >&2; exit 1; }
    [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] || { echo "Node.js $(node --version) is too old: install 20 or newer." >&2; exit 1; }
    need cc build-essential
    ;;
python)
    need python3 python3
    python3 -c 'import ensurepip, venv' 2>/dev/null || packages="$packages python3-venv"
    ;;
test)
    need ffmpeg ffmpeg
    need ffprobe ffmpeg
    need chromium chromium
    need openssl openssl
    need strace strace
    need zstd zstd
    need obs obs-studio
    need Xvfb xvfb
    need soffice libreoffice-calc
    [ -x /usr/sbin/nginx ] || packages="$packages nginx-light"
    fc-list 2>/dev/null | grep -qi emoji || packages="$packages fonts-noto-color-emoji fontconfig"
    ;;
bench)
    # Debian keeps the server's programs out of the path, in a folder for each version.
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || packages="$packages postgresql"
    need ffmpeg ffmpeg
    need chromium chromium
    [ -e /usr/lib/nginx/modules/ngx_rtmp_module.so ] || packages="$packages nginx-light libnginx-mod-rtmp"
    ;;
*)
    echo "usage: $0 build|python|test|bench" >&2
    exit 2
    ;;
esac

[ -z "$packages" ] && exit 0
if ! has apt-get; then
    echo "Missing:$packages. This is not a Debian machine: install them its own way, then run make again." >&2
    exit 1
fi
as_root=""
if [ "$(id -u)" -ne 0 ]; then
    if has sudo; then
        as_root="sudo"
    else
        echo "Missing:$packages. Install them as root: apt-get install$packages" >&2
        exit 1
    fi
fi
echo "Installing$packages"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
{ $as_root apt-get update -qq && $as_root apt-get install -y -qq --no-install-recommends $packages; } >/dev/null || {
    echo "apt-get could not install$packages: see its words above." >&2
    exit 1
}
