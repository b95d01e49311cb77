#!/bin/bash -eu
# Licensed under the Apache License 2.0 (http://www.apache.org/licenses/LICENSE-2.0), as google/oss-fuzz asks of its project files.
"$SRC/vcpr/ci/build-fuzzers"
