windlass_test(deploy_test LABEL unit SOURCES unit/deploy_test.cpp LINK windlass_ops)
add_dependencies(deploy_test windlassd windlass-anchor)
