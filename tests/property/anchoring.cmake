# The anchoring process through thousands of storms of faults, in virtual time.
add_library(anchoring_storm OBJECT EXCLUDE_FROM_ALL
  property/anchoring_property_test.cpp property/anchoring_storm.cpp property/exchange_clients.cpp)
target_link_libraries(anchoring_storm PUBLIC windlass_options anchoring_world windlass_exchange windlass_devchain GTest::gmock GTest::gtest)
target_compile_options(anchoring_storm PRIVATE ${test_options})
target_precompile_headers(anchoring_storm REUSE_FROM windlass_test_pch)
windlass_test(anchoring_property_test LABEL property TIMEOUT 1800
  SOURCES $<TARGET_OBJECTS:anchoring_storm>
  LINK anchoring_world)
set_target_properties(anchoring_property_test PROPERTIES LINKER_LANGUAGE CXX)

# Can the storms fail? Each patch of tests/mutants plants one fault in one source; that source alone is compiled anew and
# linked before the library that holds the right one. Built by the test that runs them, not by the build.
add_custom_target(anchoring_mutants)
file(GLOB mutants CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/mutants/*.patch)
set(mutant_names)
foreach(patch ${mutants})
  get_filename_component(name ${patch} NAME_WE)
  file(STRINGS ${patch} original REGEX "^--- a/" LIMIT_COUNT 1)
  string(REPLACE "--- a/" "${CMAKE_SOURCE_DIR}/" original "${original}")
  set(mutant ${CMAKE_CURRENT_BINARY_DIR}/mutants/${name}.cpp)
  add_custom_command(OUTPUT ${mutant}
    COMMAND patch --silent --force --output=${mutant} ${original} ${patch}
    DEPENDS ${patch} ${original} VERBATIM)
  add_executable(mutant_${name} EXCLUDE_FROM_ALL ${mutant} $<TARGET_OBJECTS:anchoring_storm>)
  target_link_libraries(mutant_${name} PRIVATE windlass_options anchoring_world windlass_exchange windlass_devchain
    GTest::gmock GTest::gtest GTest::gtest_main)
  target_compile_options(mutant_${name} PRIVATE ${test_options} -w)
  target_precompile_headers(mutant_${name} REUSE_FROM windlass_test_pch)
  set_target_properties(mutant_${name} PROPERTIES OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/mutants)
  add_dependencies(anchoring_mutants mutant_${name})
  list(APPEND mutant_names ${name})
endforeach()
add_test(NAME anchoring_mutants COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/mutants/run ${CMAKE_BINARY_DIR} ${mutant_names})
set_tests_properties(anchoring_mutants PROPERTIES LABELS property TIMEOUT 1800)
