windlass_test(tron_test LABEL unit SOURCES unit/tron_test.cpp unit/tron_node_test.cpp LINK windlass_tron)
windlass_test(tron_endpoints_test LABEL unit
  SOURCES unit/tron_endpoints_test.cpp unit/witnessed_chain_test.cpp
  LINK windlass_tron windlass_devchain)
