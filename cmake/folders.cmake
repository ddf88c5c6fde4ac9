# A folder is a static library; files are found, not listed, so that adding a file is adding a file.

# Files of a folder are compiled together, a dozen at a time (CMAKE_UNITY_BUILD, on in the presets dev and release): a
# cold build takes a fourth of the time. So names in unnamed namespaces are those of the folder, not of the file; the
# preset asan compiles each file by itself and shows where an include is missing.

# What every target of ours has in common. The include root is the project root: "replication/lsn.hpp".
function(verdigris_build_settings target)
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}")
  target_compile_definitions(${target} PRIVATE VERDIGRIS_VERSION="${PROJECT_VERSION}")
  if(VERDIGRIS_TEST_BUILD)
    target_compile_definitions(${target} PRIVATE VERDIGRIS_TEST_BUILD=1)
  endif()
  set_target_properties(${target} PROPERTIES
    UNITY_BUILD_BATCH_SIZE 12
    ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}" RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")
  verdigris_warnings(${target})
  verdigris_sanitizers(${target})
endfunction()

# Headers of others that most files use are read once for each library: halves the time of a cold build. What a file uses
# it includes all the same; -DVERDIGRIS_PRECOMPILE=OFF shows where one is missing.
function(verdigris_precompile target)
  if(VERDIGRIS_PRECOMPILE)
    target_precompile_headers(${target} PRIVATE <algorithm> <chrono> <cstdint> <filesystem> <fstream> <functional> <map>
      <memory> <optional> <set> <string> <string_view> <thread> <utility> <vector> ${ARGN})
  endif()
endfunction()

# verdigris_library(<target> <folder> [EXCEPT <file>...]): every .cpp below the folder.
function(verdigris_library target folder)
  cmake_parse_arguments(arg "" "" "EXCEPT" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/${folder}/*.cpp")
  list(REMOVE_ITEM sources ${arg_EXCEPT})
  list(TRANSFORM sources PREPEND "${PROJECT_SOURCE_DIR}/")
  if(NOT sources)
    # A library needs one source; the folder's first file takes its place without an edit here.
    set(sources "${PROJECT_BINARY_DIR}/empty/${target}.cpp")
    file(WRITE "${sources}" "// ${folder}/ has no .cpp file yet.\n")
  endif()
  add_library(${target} STATIC ${sources})
  verdigris_build_settings(${target})
endfunction()

function(verdigris_folder folder)
  verdigris_library(verdigris_${folder} ${folder} ${ARGN})
endfunction()
