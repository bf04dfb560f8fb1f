# The rules of the ledger, one by one.
windlass_test(core_test LABEL unit
  SOURCES unit/core_btfs_test.cpp unit/core_channel_test.cpp unit/core_ledger_test.cpp unit/core_payment_test.cpp unit/core_signer_test.cpp
    unit/core_state_test.cpp unit/core_withdrawal_test.cpp
  LINK windlass_core)

windlass_program(core_alone SOURCES unit/core_alone.cpp LINK windlass_core)
set_target_properties(core_alone PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
windlass_test(core_purity_test LABEL unit SOURCES unit/core_purity_test.cpp)
add_dependencies(core_purity_test core_alone)
get_target_property(core_links windlass_core LINK_LIBRARIES)
list(JOIN core_links " " core_links)
target_compile_definitions(core_purity_test PRIVATE
  WINDLASS_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
  WINDLASS_CORE_LIBRARY="$<TARGET_FILE:windlass_core>"
  WINDLASS_CORE_ALONE="$<TARGET_FILE:core_alone>"
  WINDLASS_CORE_LINKS="${core_links}")
