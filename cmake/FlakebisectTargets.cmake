# Compiler options shared by every target, and flakebisect_library(), which makes one library of one folder.

add_library(flakebisect_options INTERFACE)
target_compile_options(flakebisect_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
  -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual -Wnull-dereference -Wdouble-promotion -Wimplicit-fallthrough)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(flakebisect_options INTERFACE -Wduplicated-cond -Wlogical-op
    $<$<BOOL:${FLAKEBISECT_PCH}>:-fpch-preprocess>)
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    # With optimisation GCC 12 reports null dereferences, overlapping copies and wrong bounds inside its own standard
    # library (the latter two for "literal" + std::string, GCC bug 105651; which of them depends on what is inlined).
    target_compile_options(flakebisect_options INTERFACE -Wno-null-dereference -Wno-restrict -Wno-stringop-overflow
      -Wno-stringop-overread -Wno-array-bounds)
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

# What most of a build's time goes into, optimising, is for the code that computes. Options, reports and commands are
# compiled with less of it, the tests' own files with none.
add_library(flakebisect_light INTERFACE)
add_library(flakebisect_unoptimised INTERFACE)
if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  target_compile_options(flakebisect_light INTERFACE -O1)
  target_compile_options(flakebisect_unoptimised INTERFACE -O0)
endif()

# Precompiled headers: one for each set of flags that they depend on, used by every target with these flags.
# fmt's definitions are among them, whether a target uses fmt or not.
set(common_headers <algorithm> <atomic> <chrono> <cmath> <cstdint> <filesystem> <fstream> <functional> <map> <memory>
    <mutex> <optional> <set> <span> <sstream> <stdexcept> <string> <string_view> <thread> <unordered_map> <unordered_set>
    <utility> <variant> <vector> <fmt/format.h>)
function(flakebisect_precompiled name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "HEADERS;LINK")
  if(NOT FLAKEBISECT_PCH)
    return()
  endif()
  file(WRITE "${PROJECT_BINARY_DIR}/${name}.cpp" "")
  add_library(${name} OBJECT "${PROJECT_BINARY_DIR}/${name}.cpp")
  target_link_libraries(${name} PRIVATE fmt::fmt flakebisect_options ${arg_LINK})
  target_precompile_headers(${name} PRIVATE ${common_headers} ${arg_HEADERS})
endfunction()
function(flakebisect_use_precompiled target name)
  if(FLAKEBISECT_PCH)
    target_precompile_headers(${target} REUSE_FROM ${name})
    target_compile_definitions(${target} PRIVATE $<TARGET_PROPERTY:fmt::fmt,INTERFACE_COMPILE_DEFINITIONS>)
  endif()
endfunction()
# Most of a file's compilation is what it includes. In the presets for clean builds several files are one: names in
# their anonymous namespaces must then differ, or the file be named here.
set(FLAKEBISECT_NOT_IN_UNITY
  "${PROJECT_SOURCE_DIR}/analyzer/analyze/run_index.cpp"  # a class that is known outside has members that are not
  "${PROJECT_SOURCE_DIR}/analyzer/report_jira.cpp"        # each format has the same sections, named alike
  "${PROJECT_SOURCE_DIR}/analyzer/report_markdown.cpp")
function(flakebisect_use_unity target)
  if(FLAKEBISECT_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${FLAKEBISECT_UNITY})
    set_source_files_properties(${FLAKEBISECT_NOT_IN_UNITY} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  endif()
endfunction()

flakebisect_precompiled(precompiled)
flakebisect_precompiled(precompiled_light LINK flakebisect_light)

# flakebisect_library(FOLDER [EXCLUDE file...] [LIGHT_BUT pattern...] LINK target...)
# Makes flakebisect_FOLDER of every .cpp file below FOLDER. Its public include root holds FOLDER alone, so that
# '#include "other/header.h"' compiles only where flakebisect_other is linked. With LIGHT_BUT only the files that match
# one of the patterns are optimised as far as the build type says; the others are part of the same library.
function(flakebisect_library folder)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "EXCLUDE;LIGHT_BUT;LINK")
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${folder}/*.cpp")
  foreach(name IN LISTS arg_EXCLUDE)
    list(REMOVE_ITEM sources "${PROJECT_SOURCE_DIR}/${folder}/${name}")
  endforeach()
  set(root "${PROJECT_BINARY_DIR}/include_roots/${folder}")
  file(MAKE_DIRECTORY "${root}")
  file(CREATE_LINK "${PROJECT_SOURCE_DIR}/${folder}" "${root}/${folder}" SYMBOLIC)
  if(arg_LIGHT_BUT)
    set(light ${sources})
    list(TRANSFORM arg_LIGHT_BUT PREPEND "${PROJECT_SOURCE_DIR}/${folder}/")
    file(GLOB sources CONFIGURE_DEPENDS ${arg_LIGHT_BUT})
    list(REMOVE_ITEM light ${sources})
    add_library(flakebisect_${folder}_light OBJECT ${light})
    target_link_libraries(flakebisect_${folder}_light PRIVATE flakebisect_light)
    flakebisect_part(flakebisect_${folder}_light "${root}" precompiled_light ${arg_LINK})
    list(APPEND sources $<TARGET_OBJECTS:flakebisect_${folder}_light>)
  endif()
  add_library(flakebisect_${folder} STATIC ${sources})
  flakebisect_part(flakebisect_${folder} "${root}" precompiled ${arg_LINK})
endfunction()
function(flakebisect_part target root precompiled)
  target_include_directories(${target} PUBLIC "${root}")
  target_link_libraries(${target} PUBLIC ${ARGN} PRIVATE flakebisect_options)
  target_compile_definitions(${target} PRIVATE FLAKEBISECT_VERSION="${PROJECT_VERSION}")
  flakebisect_use_precompiled(${target} ${precompiled})
  flakebisect_use_unity(${target})
endfunction()
