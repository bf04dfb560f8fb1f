windlass_test(devchain_test LABEL unit SOURCES unit/devchain_test.cpp unit/devchain_capture_test.cpp unit/devchain_contract_test.cpp
          unit/devchain_token_test.cpp
  LINK windlass_devchain)
windlass_test(devchain_program_test LABEL unit SOURCES unit/devchain_program_test.cpp LINK windlass_tron)
add_dependencies(devchain_program_test windlass-devchain)
