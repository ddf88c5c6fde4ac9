# Sanitizers for every target of ours; a finding ends the process, so that a test cannot pass over it.
function(verdigris_sanitizers target)
  if(VERDIGRIS_SANITIZERS)
    set(flags -fsanitize=${VERDIGRIS_SANITIZERS} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_compile_options(${target} PRIVATE ${flags})
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      # GCC does not follow initialization through its own instrumentation and warns about its library.
      target_compile_options(${target} PRIVATE -Wno-maybe-uninitialized)
    endif()
    target_link_options(${target} PRIVATE ${flags})
  endif()
endfunction()
