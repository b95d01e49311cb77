"""python3 -m planted, from the root: what ci/planted check does."""
import sys

from planted import bug

if __name__ == "__main__":
    sys.exit(0 if bug.check() else 1)
