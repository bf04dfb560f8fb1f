windlass_test(btfs_test LABEL unit
  SOURCES unit/btfs_command_test.cpp unit/btfs_test.cpp unit/btfs_vectors_test.cpp
  LINK windlass_codec proto_btfs proto_tron)
