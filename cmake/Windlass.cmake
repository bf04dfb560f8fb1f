# The build's few rules, stated once: flags, dependencies, and how a library, a program and a test are made.

find_program(CCACHE ccache)
if(CCACHE)
  # Whatever the user's own settings are: precompiled headers need this much looseness, and more would be too much (by
  # `system_headers` what is generated from .proto files counts as unchanged).
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros
    CCACHE_NAMESPACE=windlass ${CCACHE})
endif()

set(WINDLASS_SANITIZE "" CACHE STRING "Sanitizers for -fsanitize, e.g. address,undefined or thread")

find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(CURL 7.85 REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(absl CONFIG REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(SECP256K1 REQUIRED IMPORTED_TARGET libsecp256k1)
pkg_check_modules(BOTAN REQUIRED IMPORTED_TARGET botan-2)
pkg_check_modules(PQ REQUIRED IMPORTED_TARGET libpq)
find_package(GTest REQUIRED)
find_package(benchmark REQUIRED)

add_library(windlass_options INTERFACE)
target_include_directories(windlass_options INTERFACE ${CMAKE_SOURCE_DIR})
# Everywhere or nowhere: the precompiled header is shared, and gRPC brings it to some.
target_compile_options(windlass_options INTERFACE -pthread)
target_link_options(windlass_options INTERFACE -pthread)
target_compile_options(windlass_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor
  -Wold-style-cast -Woverloaded-virtual -Wno-missing-field-initializers)
if(WINDLASS_SANITIZE)
  add_compile_options(-fsanitize=${WINDLASS_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${WINDLASS_SANITIZE})
else()
  # Beside the sanitizers' checks g++ 12 warns wrongly: of std::string's and std::optional's own code, of Boost.Asio's fences.
  target_compile_options(windlass_options INTERFACE -Werror)
endif()

# What nearly every file includes, parsed once; the tests' has GoogleTest too, and proto/ adds one for the few files that
# see gRPC (windlass_grpc_pch).
set(common_headers <algorithm> <array> <atomic> <chrono> <condition_variable> <cstdint> <functional> <map> <memory>
  <mutex> <optional> <span> <string> <string_view> <thread> <unordered_map> <variant> <vector>
  <absl/container/flat_hash_map.h> <absl/container/node_hash_map.h> <absl/container/inlined_vector.h>)
# windlass_pch(NAME LINK libraries... HEADERS headers...)
function(windlass_pch name)
  cmake_parse_arguments(ARG "" "" "LINK;HEADERS" ${ARGN})
  add_library(${name} OBJECT ${CMAKE_SOURCE_DIR}/cmake/pch.cpp)
  target_link_libraries(${name} PUBLIC windlass_options absl::flat_hash_map absl::strings ${ARG_LINK})
  target_precompile_headers(${name} PRIVATE ${common_headers} ${ARG_HEADERS})
endfunction()
windlass_pch(windlass_pch)
# Tests are compiled for a quick build; what they test is compiled as it ships. g++ 12 warns wrongly of std::string's own
# operator+ (its bugs 105329 and 105651).
set(test_options $<$<CONFIG:Release>:-O1;-g0> -Wno-array-bounds -Wno-restrict)
windlass_pch(windlass_test_pch LINK GTest::gmock GTest::gtest HEADERS <gtest/gtest.h> <gmock/gmock.h>)
target_compile_options(windlass_test_pch PRIVATE ${test_options})

# windlass_library(NAME [GRPC] SOURCES... [LINK libraries...]): a folder's library. GRPC: its files see gRPC's headers.
function(windlass_library name)
  cmake_parse_arguments(ARG "GRPC" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC windlass_options ${ARG_LINK} absl::flat_hash_map absl::strings)
  if(ARG_GRPC)
    target_precompile_headers(${name} REUSE_FROM windlass_grpc_pch)
  else()
    target_precompile_headers(${name} REUSE_FROM windlass_pch)
  endif()
endfunction()

# windlass_program(NAME [GRPC] SOURCES... [LINK libraries...] [PCH whose]): a binary in build/bin.
function(windlass_program name)
  cmake_parse_arguments(ARG "GRPC" "PCH" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE windlass_options ${ARG_LINK} absl::flat_hash_map absl::strings)
  if(ARG_GRPC)
    set(ARG_PCH windlass_grpc_pch)
  elseif(NOT ARG_PCH)
    set(ARG_PCH windlass_pch)
  endif()
  target_precompile_headers(${name} REUSE_FROM ${ARG_PCH})
endfunction()

# windlass_test(NAME LABEL label SOURCES... [LINK libraries...]): a GoogleTest program, run by `scripts/test LABEL`.
# One ctest entry per program; the runner counts the single tests from the programs' own reports. But for unit tests, a
# second entry runs it with WINDLASS_SOAK=1 and hours of time: `scripts/test soak`.
function(windlass_test name)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT" "SOURCES;LINK" ${ARGN})
  windlass_program(${name} SOURCES ${ARG_SOURCES} LINK ${ARG_LINK} GTest::gmock GTest::gtest GTest::gtest_main
    PCH windlass_test_pch)
  target_compile_options(${name} PRIVATE ${test_options})
  add_dependencies(tests ${name})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  set(environment "WINDLASS_SOURCE_DIR=${CMAKE_SOURCE_DIR};WINDLASS_BIN_DIR=${CMAKE_BINARY_DIR}/bin")
  add_test(NAME ${name} COMMAND ${name} --gtest_output=xml:${CMAKE_BINARY_DIR}/tests/${name}.xml)
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT} ENVIRONMENT "${environment}")
  if(NOT ARG_LABEL STREQUAL unit)
    add_test(NAME ${name}.soak COMMAND ${name} --gtest_output=xml:${CMAKE_BINARY_DIR}/tests/${name}.soak.xml)
    set_tests_properties(${name}.soak PROPERTIES LABELS soak TIMEOUT 7200 ENVIRONMENT "${environment};WINDLASS_SOAK=1")
  endif()
endfunction()
