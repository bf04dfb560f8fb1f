windlass_test(crypto_test LABEL unit
  SOURCES unit/crypto_bip32_test.cpp unit/crypto_bytes_test.cpp unit/crypto_keys_test.cpp
          unit/crypto_point_cache_test.cpp
  LINK windlass_crypto)
