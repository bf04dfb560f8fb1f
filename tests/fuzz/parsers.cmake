# WINDLASS_FUZZ_RUNS lengthens it: inputs for each parser.
windlass_test(parser_fuzz_test LABEL fuzz
  SOURCES fuzz/parser_fuzz_test.cpp
  LINK windlass_log)
windlass_test(btfs_fuzz_test LABEL fuzz
  SOURCES fuzz/btfs_fuzz_test.cpp
  LINK windlass_codec proto_btfs)
