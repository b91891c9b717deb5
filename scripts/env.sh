# shellcheck shell=sh
# Sourced by the other scripts from the root of the repository: puts build/tools, where setup.sh keeps a newer
# Node, first on the path.
if [ -x build/tools/bin/node ]; then
  PATH=$PWD/build/tools/node_modules/.bin:$PWD/build/tools/bin:$PATH
  export PATH
fi
