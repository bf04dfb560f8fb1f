// A client of the historical BTFS ledger as bittorrent-utils is one: the same gRPC, protobuf and secp256k1 packages, the
// same calls. NODE_PATH names the packages. It prints a JSON line for each answer.
//   node btfs_client.cjs selfcheck FILE    offline: the bytes that it would send, against tests/vectors/btfs/js.json
//   node btfs_client.cjs run HOST:PORT KEY RECIPIENT FEE_RECIPIENT AMOUNT ROUNDS [INTERVAL_MS]
//                                          every second (or so) looks at its own balance and at both others', and
//                                          sends a transfer and a fee of 1% of it in parallel; KEY is a private key in
//                                          hex, a recipient 65 bytes in hex, AMOUNT micro-BTT, one more each round
const crypto = require("crypto");
const fs = require("fs");
const { loadPackageDefinition, credentials } = require("@grpc/grpc-js");
const protoLoader = require("@grpc/proto-loader");
const protobuf = require("protobufjs");
const secp256k1 = require("secp256k1");

// As the client has it: what is signed is a message there, not bytes.
const schema = `
  syntax = "proto3";
  package ledger;
  service Channels {
    rpc CreateAccount(PublicKey) returns (CreateAccountResult);
    rpc Transfer(SignedTransferRequest) returns (TransferResult);
  }
  message PublicKey { bytes key = 1; }
  message Account { PublicKey address = 1; int64 balance = 2; }
  message CreateAccountResult { Account account = 1; }
  message TransferRequest { PublicKey payer = 1; PublicKey recipient = 2; int64 amount = 3; }
  message SignedTransferRequest { TransferRequest transfer_request = 1; bytes signature = 2; }
  message TransferResult { int64 balance = 1; }
`;
const { root } = protobuf.parse(schema, { keepCase: true });
const TransferRequest = root.lookupType("ledger.TransferRequest");
const { Channels } = loadPackageDefinition(
  protoLoader.fromJSON(root.toJSON(), { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true }),
).ledger;

const FEE_SHARE = 0.01;

const emit = (answer) => console.log(JSON.stringify(answer));
const hex = (bytes) => Buffer.from(bytes).toString("hex");
const addressOf = (key) => Buffer.from(secp256k1.publicKeyCreate(key, false));

// `amount` is a number, as the client computes it: a double, whose fraction is dropped when it is written.
function signedTransfer(key, recipient, amount) {
  const transfer = { payer: { key: addressOf(key) }, recipient: { key: recipient }, amount };
  const message = TransferRequest.encode(TransferRequest.create(transfer)).finish();
  const hash = crypto.createHash("sha256").update(message).digest();
  const signature = secp256k1.signatureExport(secp256k1.ecdsaSign(hash, key).signature);
  return { message, request: { transfer_request: transfer, signature } };
}

function ask(client, call, request, about) {
  return new Promise((resolve) => {
    client[call](request, (error, answer) => {
      emit(error ? { call, ...about, code: error.code, error: error.details } : { call, ...about, ...read(answer) });
      resolve();
    });
  });
}
// The client looks into the account of an answer unasked.
const read = (answer) => ({ balance: "account" in answer ? answer.account.balance : answer.balance });

async function run([server, keyHex, recipientHex, feeRecipientHex, amount, rounds, intervalMs = 1000]) {
  const client = new Channels(server, credentials.createInsecure());
  const key = Buffer.from(keyHex, "hex");
  const recipients = [recipientHex, feeRecipientHex].map((text) => Buffer.from(text, "hex"));
  const balance = (address) => ask(client, "CreateAccount", { key: address }, { address: hex(address) });
  const transfer = (recipient, units) =>
    ask(client, "Transfer", signedTransfer(key, recipient, units).request, { recipient: hex(recipient), amount: units });
  for (let round = 0; round < Number(rounds); ++round) {
    const next = Date.now() + Number(intervalMs);
    await Promise.all([addressOf(key), ...recipients].map(balance));
    const units = Number(amount) + round;
    await Promise.all([transfer(recipients[0], units), transfer(recipients[1], units * FEE_SHARE)]);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, next - Date.now())));
  }
  client.close();
}

function expectEqual(name, what, got, want) {
  if (hex(got) !== want) throw new Error(`${name}: ${what} is ${hex(got)}, not ${want}`);
}

function checkTransfer(vector, keys) {
  const { payer, recipient, amount } = vector.fields;
  const key = keys.get(payer.key);
  const { message, request } = signedTransfer(key, Buffer.from(recipient.key, "base64"), Number(amount));
  expectEqual(vector.name, "the message", message, vector.signed_message_hex);
  // A high S was made without the library's lowering; the request is the same but for it.
  if (vector.signatures[0].high_s) request.signature = Buffer.from(vector.signatures[0].der_hex, "hex");
  expectEqual(vector.name, "the request", Channels.service.Transfer.requestSerialize(request), vector.request_hex);
}

function selfcheck([file]) {
  const { about, vectors } = JSON.parse(fs.readFileSync(file, "utf8"));
  const keys = new Map();
  for (const { private_key_hex: key, ledger_address_hex: address } of about.keys)
    keys.set(Buffer.from(address, "hex").toString("base64"), Buffer.from(key, "hex"));
  const checks = {
    "/ledger.Channels/Transfer": (vector) => checkTransfer(vector, keys),
    "/ledger.Channels/CreateAccount": ({ name, fields, request_hex }) => {
      const request = { key: Buffer.from(fields.key, "base64") };
      expectEqual(name, "the request", Channels.service.CreateAccount.requestSerialize(request), request_hex);
    },
  };
  for (const [method, check] of Object.entries(checks)) {
    const cases = vectors.filter((vector) => vector.grpc_method === method);
    cases.forEach(check);
    emit({ checked: method, vectors: cases.length });
  }
}

const commands = { run, selfcheck };
(async ([command, ...rest]) => commands[command](rest))(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
