# A room that compares nothing with an input's bytes: what drives and judges, and what is built of them much later. A
# fuzzing engine counts its edges, as phases and events are such, but need not be told every comparison in the hope that
# one shows what an input should hold, which costs more the more such rooms there are.
function(vcpr_compares_no_input name)
  if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
    target_compile_options(vcpr_${name} PRIVATE -fno-sanitize-coverage=trace-cmp)
  endif()
endfunction()
