# Compiler options shared by every target, and flakebisect_library(), which makes one library of one folder.

add_library(flakebisect_options INTERFACE)
target_compile_options(flakebisect_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
  -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual -Wnull-dereference -Wdouble-promotion -Wimplicit-fallthrough)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(flakebisect_options INTERFACE -Wduplicated-cond -Wlogical-op
    $<$<BOOL:${FLAKEBISECT_PCH}>:-fpch-preprocess>)
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    # With optimisation GCC 12 reports null dereferences and overlapping copies inside its own standard library
    # (the latter for "literal" + std::string, GCC bug 105651).
    target_compile_options(flakebisect_options INTERFACE -Wno-null-dereference -Wno-restrict -Wno-stringop-overflow)
  endif()
endif()
if(FLAKEBISECT_WERROR)
  target_compile_options(flakebisect_options INTERFACE -Werror)
endif()
if(FLAKEBISECT_SANITIZE)
  target_compile_options(flakebisect_options INTERFACE -fsanitize=${FLAKEBISECT_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(flakebisect_options INTERFACE -fsanitize=${FLAKEBISECT_SANITIZE})
endif()
if(FLAKEBISECT_COVERAGE)
  target_compile_options(flakebisect_options INTERFACE --coverage)
  target_link_options(flakebisect_options INTERFACE --coverage)
endif()

# flakebisect_library(FOLDER [EXCLUDE file...] LINK target...)
# Makes flakebisect_FOLDER of every .cpp file below FOLDER. Its public include root holds FOLDER alone, so that
# '#include "other/header.h"' compiles only where flakebisect_other is linked.
function(flakebisect_library folder)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "EXCLUDE;LINK")
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${folder}/*.cpp")
  foreach(name IN LISTS arg_EXCLUDE)
    list(REMOVE_ITEM sources "${PROJECT_SOURCE_DIR}/${folder}/${name}")
  endforeach()
  set(root "${PROJECT_BINARY_DIR}/include_roots/${folder}")
  file(MAKE_DIRECTORY "${root}")
  file(CREATE_LINK "${PROJECT_SOURCE_DIR}/${folder}" "${root}/${folder}" SYMBOLIC)
  if(NOT sources)
    add_library(flakebisect_${folder} INTERFACE)
    target_include_directories(flakebisect_${folder} INTERFACE "${root}")
    target_link_libraries(flakebisect_${folder} INTERFACE ${arg_LINK})
    return()
  endif()
  add_library(flakebisect_${folder} STATIC ${sources})
  target_include_directories(flakebisect_${folder} PUBLIC "${root}")
  target_link_libraries(flakebisect_${folder} PUBLIC ${arg_LINK} PRIVATE flakebisect_options)
  target_compile_definitions(flakebisect_${folder} PRIVATE FLAKEBISECT_VERSION="${PROJECT_VERSION}")
endfunction()
