# Warnings are errors in every preset (an outsider's newer compiler: -DCMAKE_COMPILE_WARNING_AS_ERROR=OFF); sanitizers
# and instrumentation come from the preset.
option(CMAKE_COMPILE_WARNING_AS_ERROR "Stop at the first warning" ON)
add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor
                    -Wold-style-cast -Wcast-qual -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++-12 reports a false -Wrestrict and -Wmaybe-uninitialized inside std::string at -O2 and above.
  add_compile_options(-Wno-restrict -Wno-maybe-uninitialized)
endif()
if(VCPR_SANITIZE)
  add_compile_options(-fsanitize=${VCPR_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${VCPR_SANITIZE})
endif()
