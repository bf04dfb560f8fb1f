windlass_test(http_test LABEL unit
  SOURCES unit/http_routes_test.cpp unit/http_server_test.cpp
  LINK windlass_http proto_btfs)
