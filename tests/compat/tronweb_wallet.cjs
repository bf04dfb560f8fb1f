// A wallet on tronweb, without a node: it is told the block to refer to, and prints what it signs instead of sending it.
// NODE_PATH names the packages.
//   node tronweb_wallet.cjs address KEY   the TRON address of a private key, in hex
//   node tronweb_wallet.cjs sign          for each transfer on stdin, a JSON line: its id, bytes and signature. Stdin is
//     {"key": hex, "to": T..., "reference": {ref_block_bytes, ref_block_hash, expiration, timestamp},
//      "transfers": [{"token": "" (TRX) | a TRC-10's id | a TRC-20's contract, "amount": decimal, "memo": text or none}]}
const fs = require("fs");
const { TronWeb } = require("tronweb");

const NO_NODE = "http://127.0.0.1:1"; // whatever asks it fails
const FEE_LIMIT_SUN = 100_000_000;

const tronWeb = new TronWeb({ fullHost: NO_NODE });
const builder = tronWeb.transactionBuilder;
const emit = (answer) => console.log(JSON.stringify(answer));

async function transferOf({ token, amount }, from, to, blockHeader) {
  if (token === "") return builder.sendTrx(to, amount, from, { blockHeader });
  if (/^\d+$/.test(token)) return builder.sendToken(to, amount, token, from, { blockHeader });
  const options = { feeLimit: FEE_LIMIT_SUN, txLocal: true, blockHeader };
  const values = [
    { type: "address", value: to },
    { type: "uint256", value: amount },
  ];
  return (await builder.triggerSmartContract(token, "transfer(address,uint256)", options, values, from)).transaction;
}

async function sign({ key, to, reference, transfers }) {
  const from = TronWeb.address.fromPrivateKey(key);
  for (const transfer of transfers) {
    let transaction = await transferOf(transfer, from, to, reference);
    if (transfer.memo) transaction = await builder.addUpdateData(transaction, transfer.memo, "utf8", { txLocal: true });
    const { txID, raw_data_hex, signature } = await tronWeb.trx.sign(transaction, key);
    emit({ id: txID, raw: raw_data_hex, signature: signature[0] });
  }
}

const [command, key] = process.argv.slice(2);
if (command === "address") emit({ address: TronWeb.address.fromPrivateKey(key) });
else if (command === "sign") sign(JSON.parse(fs.readFileSync(0, "utf8")));
else throw new Error("usage: node tronweb_wallet.cjs address KEY | sign");
