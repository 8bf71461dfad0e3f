# Sourced by script/server and script/test: a virtual environment with Manor in it. Wants $root; sets $venv.
#
# As root, missing Debian packages are installed; otherwise they are named and the script ends.

set -euo pipefail
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

say() { printf '%s\n' "$*" >&2; }

need_packages() { # PACKAGE...: those that dpkg does not know as installed are installed
    local missing=()
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    command -v apt-get >/dev/null || { say "please install: ${missing[*]}"; exit 69; }
    if [ "$(id -u)" -ne 0 ]; then
        say "these system packages are missing; as root: apt-get install ${missing[*]}"
        exit 77
    fi
    say "installing ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

find_python() { # the first Python >= 3.11 with venv and sqlite3
    local candidate
    for candidate in "${PYTHON:-}" python3.11 python3 python3.13 python3.12 /usr/bin/python3; do
        [ -n "$candidate" ] && command -v "$candidate" >/dev/null || continue
        if "$candidate" -c 'import sys, venv, ensurepip, sqlite3; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

make_venv() { # WHAT...: pip's arguments; installed again only when pyproject.toml changed
    venv=${VENV:-$root/.venv}
    local python stamp
    if [ ! -x "$venv/bin/python" ]; then
        if ! python=$(find_python); then
            need_packages python3 python3-venv
            python=$(find_python) || { say "Python 3.11 or newer is needed"; exit 69; }
        fi
        "$python" -m venv "$venv"
    fi
    stamp="$venv/.manor-$(printf '%s ' "$@" | cat - "$root/pyproject.toml" | sha256sum | cut -c1-16)"
    if [ ! -e "$stamp" ]; then
        say "installing Manor into $venv"
        (cd "$root" && "$venv/bin/python" -m pip install -q --upgrade 'pip>=25.1' && "$venv/bin/python" -m pip install -q "$@")
        touch "$stamp"
    fi
}
