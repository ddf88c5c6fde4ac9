# Sanitizers for every target of ours; a finding ends the process, so that a test cannot pass over it.
function(verdigris_sanitizers target)
  if(VERDIGRIS_SANITIZERS)
    set(flags -fsanitize=${VERDIGRIS_SANITIZERS} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_compile_options(${target} PRIVATE ${flags})
    target_link_options(${target} PRIVATE ${flags})
  endif()
endfunction()
