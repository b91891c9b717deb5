#!/bin/sh
# Installs what a task needs and the machine lacks: scripts/setup.sh build|run|test|bench|rest|fuzz|lint …
#
# Debian 12 and 13, as root or as a user with sudo. It asks dpkg first, so that a second run costs
# milliseconds and touches nothing. Everything comes from Debian's packages and the npm registry, through
# whatever sources and proxies this machine's own configuration names.
set -eu
cd "$(dirname "$0")/.."
. scripts/env.sh
log=build/setup.log

say() { printf '%s\n' "$*" >&2; }
die() { say "setup: $*"; exit 1; }
mkdir -p build 2>/dev/null && [ -w build ] ||
  die "$PWD/build cannot be written by $(id -un): it was made by another user; remove it or change its owner"

build_packages="gcc libc6-dev make cmake ninja-build pkg-config ca-certificates
  libmicrohttpd-dev libwslay-dev libcurl4-openssl-dev libsodium-dev libsqlite3-dev libpq-dev libpcre2-dev
  libicu-dev libgumbo-dev libcmocka-dev libssl-dev libyyjson-dev libyaml-dev"
run_packages="curl"
test_packages="curl openssl nginx caddy haproxy python3 python3-aiosmtpd postgresql chromium fonts-dejavu-core"
bench_packages="curl postgresql redis-server"
rest_packages="curl nginx wrk"
fuzz_packages="clang"
lint_packages="cppcheck clang-format"

packages=$build_packages
node=
for profile in "${@:-build}"; do
  case $profile in
    build) ;;
    run) packages="$packages $run_packages"; node=yes ;;
    test) packages="$packages $test_packages"; node=yes ;;
    bench) packages="$packages $bench_packages"; node=yes ;;
    rest) packages="$packages $rest_packages"; node=yes ;;
    fuzz) packages="$packages $fuzz_packages" ;;
    lint) packages="$packages $lint_packages" ;;
    *) die "unknown profile \"$profile\": build, run, test, bench, rest, fuzz or lint" ;;
  esac
done
# Debian's npm is a hundred small packages: only where there is no npm of another origin.
if [ -n "$node" ] && ! { command -v node && command -v npm; } >/dev/null 2>&1; then
  packages="$packages nodejs npm"
fi

missing() {
  # shellcheck disable=SC2086
  dpkg-query -W -f '${Package} ${db:Status-Status}\n' $packages 2>/dev/null | awk '$2 == "installed" { print $1 }' |
    sort -u >build/setup.have
  printf '%s\n' $packages | sort -u | comm -23 - build/setup.have | tr '\n' ' '
}

command -v dpkg-query >/dev/null 2>&1 || {
  for tool in cmake ninja pkg-config cc; do
    command -v $tool >/dev/null 2>&1 || die "this is no Debian; install by hand: $(echo $build_packages)"
  done
  say "setup: this is no Debian; nothing is installed here, the build tells what it lacks"
  exit 0
}
want=$(missing)

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  else
    # sudo forgets the proxy that the caller's shell names.
    sudo env http_proxy="${http_proxy-}" https_proxy="${https_proxy-}" "$@"
  fi
}

may_install() {
  [ "$(id -u)" = 0 ] && return 0
  hint="ask an administrator for: apt-get install $want"
  command -v sudo >/dev/null 2>&1 || die "packages are missing, and there is neither root nor sudo; $hint"
  if ! sudo -n true 2>/dev/null; then
    [ -t 0 ] || die "packages are missing, and sudo asks for a password without a terminal; $hint"
    say "setup: installing needs sudo: $want"
    sudo -v || die "sudo was refused; $hint"
  fi
}

apt() { # apt-get, quietly
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" >>$log 2>&1
}
why() { sed -n 's/^E: //p' $log | tail -n 1; } # apt-get's own last complaint

update() {
  apt update -o APT::Update::Error-Mode=any ||
    die "Debian's package mirror cannot be reached or refused (details: $log)"
}

# Debian 12 lacks libyyjson. Its trixie package needs only libc6 >= 2.14, so it is taken from there: the same
# mirror and key as this machine's own bookworm entry, and a pin that lets nothing else through.
add_trixie() {
  . /etc/os-release
  entry=$(apt-get indextargets --format '$(RELEASE)|$(COMPONENT)|$(REPO_URI)|$(SOURCESENTRY)' \
    'Created-By: Packages' | awk -F'|' -v c="$VERSION_CODENAME" \
    '($1 == c || $1 ~ /^(old)*stable$/) && $2 == "main" { print; exit }')
  [ -n "$entry" ] || die "no apt source for Debian $VERSION_CODENAME found, so none for libyyjson can be derived"
  uri=$(echo "$entry" | cut -d'|' -f3)
  file=$(echo "$entry" | cut -d'|' -f4 | sed 's/:[0-9]*$//')
  case $file in
    *.sources) signed=$(awk '/^[^ \t#]/ { on = 0 } tolower($0) ~ /^signed-by:/ { if (seen++) exit; on = 1 } on' "$file") ;;
    *) signed=$(sed -n 's/^deb[^#]*\[.*signed-by=\([^] ]*\).*/Signed-By: \1/p' "$file" | head -n 1) ;;
  esac
  {
    printf 'Types: deb\nURIs: %s\nSuites: trixie\nComponents: main\n' "$uri"
    [ -z "$signed" ] || printf '%s\n' "$signed"
  } >build/carillon-trixie.sources
  cat >build/carillon-trixie.pref <<'PIN'
Package: *
Pin: release n=trixie
Pin-Priority: -10

Package: libyyjson0 libyyjson-dev
Pin: release n=trixie
Pin-Priority: 500
PIN
  # The pin first: a machine must never see trixie without it.
  as_root install -m 644 build/carillon-trixie.pref /etc/apt/preferences.d/carillon-trixie
  as_root install -m 644 build/carillon-trixie.sources /etc/apt/sources.list.d/carillon-trixie.sources
  say "setup: added trixie as a source for libyyjson only (/etc/apt/sources.list.d/carillon-trixie.sources)"
}

installable() { apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [^(]'; }

if [ -n "$want" ]; then
  may_install
  say "setup: installing $want"
  : >$log
  update
  case " $want " in
    *" libyyjson-dev "*)
      if ! installable libyyjson-dev; then
        add_trixie
        update
      fi ;;
  esac
  # shellcheck disable=SC2086
  apt install --no-install-recommends $want || die "apt-get could not install everything: $(why) (details: $log)"
  want=$(missing)
  [ -z "$want" ] || die "still missing after the installation: $want"
fi

# libFuzzer and the sanitizers of clang are a package whose name holds the version.
case " $* " in
  *" fuzz "*)
    version=$(clang --version | sed -n 's/.*version \([0-9]*\).*/\1/p' | head -n 1)
    packages="libclang-rt-$version-dev"
    want=$(missing)
    if [ -n "$want" ] && installable "$packages"; then
      may_install
      # shellcheck disable=SC2086
      apt install --no-install-recommends $want || die "apt-get could not install $want(details: $log)"
    fi ;;
esac

# Debian 12's Node is 18; the clients and Vite need 20. The npm package carries the program itself, so that
# nothing is fetched from elsewhere and no install script has to run.
if [ -n "$node" ]; then
  major=$(node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/')
  if [ "${major:-0}" -lt 20 ]; then
    case $(uname -m) in
      x86_64) arch=x64 ;;
      aarch64) arch=arm64 ;;
      *) die "node ${major:-(none)} is too old, and npm has none for $(uname -m): install Node 20 or newer" ;;
    esac
    say "setup: fetching Node 22 from the npm registry into build/tools"
    mkdir -p build/tools
    echo '{"private":true}' >build/tools/package.json
    npm install --prefix build/tools --ignore-scripts --no-audit --no-fund --loglevel=error \
      "node-linux-$arch@22" npm@11 >>$log 2>&1 || die "the npm registry cannot be reached or refused (details: $log)"
    ln -sfn "node_modules/node-linux-$arch/bin" build/tools/bin
    . scripts/env.sh
    node --version >/dev/null || die "build/tools/bin/node does not run here"
  fi
fi
