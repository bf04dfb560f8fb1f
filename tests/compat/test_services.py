"""The services that tools expect beside the API: health and reflection."""

from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from client import DEADLINE_S, command_pb2

SERVICES = {"windlass.v1.Ledger", "windlass.v1.Query", "windlass.v1.Log", "windlass.v1.Admin", "grpc.health.v1.Health"}


def test_health_says_that_it_serves(ledger):
    stub = health_pb2_grpc.HealthStub(ledger.channel)
    answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=DEADLINE_S)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_reflection_lists_the_services(ledger):
    assert SERVICES <= set(ProtoReflectionDescriptorDatabase(ledger.channel).get_services())


def test_reflection_describes_the_messages_as_proto_has_them(ledger):
    pool = DescriptorPool(ProtoReflectionDescriptorDatabase(ledger.channel))
    told = pool.FindMessageTypeByName("windlass.v1.Command")
    ours = command_pb2.Command.DESCRIPTOR
    assert {f.name: f.number for f in told.fields} == {f.name: f.number for f in ours.fields}
