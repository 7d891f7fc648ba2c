#!/usr/bin/env bash
# Installs the Debian packages that tests drive: a real browser, a real peer server, a load generator, and a compiler. With
# "bench", those of the benchmarks too: the other servers.
set -eu
packages=(chromium nginx-light wrk strace qemu-system-x86 busybox-static e2fsprogs systemd debootstrap prometheus nats-server bird2 curl gcc libc6-dev python3-dev)
[ "${1:-}" != bench ] || packages+=(varnish trafficserver h2o openssl linux-perf)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" -ne 0 ]; then
  echo "debian.sh: missing: ${missing[*]}; run: sudo apt-get install ${missing[*]}" >&2
  exit 1
fi
echo "Installing Debian packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# No service of these is wanted: the tests start what they need themselves.
if [ ! -e /usr/sbin/policy-rc.d ]; then
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
fi
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
