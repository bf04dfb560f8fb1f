windlass_test(codec_vectors_test LABEL unit SOURCES unit/codec_vectors_test.cpp LINK windlass_codec)
