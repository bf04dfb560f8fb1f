// Other people's Solidity compiler and EVM, for the tests of the anchor contract. NODE_PATH names the packages.
//   node evm.cjs compile FILE CONTRACT   prints {abi, bytecode, runtime, compiler}
//   node evm.cjs run < PLAYS             carries out [[{from, to, data, value}]]: each play's steps one after the other
//                                        on a new chain (no `to`: a creation); prints for each step
//                                        {ok, returned, logs, energy, address}
//
// `energy` is what a TRON node charges: the EVM's prices of the Paris fork but for those that TRON has otherwise.
const fs = require("fs");
const { Common, Hardfork } = require("@ethereumjs/common");
const { EVM } = require("@ethereumjs/evm");
const util = require("@ethereumjs/util");

const settings = {
  evmVersion: "paris",
  optimizer: { enabled: true, runs: 200 },
  // Nothing in the bytecode but code: a hash of sources and paths would change with their comments.
  metadata: { bytecodeHash: "none", appendCBOR: false },
  outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
};

function compile(file, name) {
  const solc = require("solc"); // takes a second to load
  const sources = { [name]: { content: fs.readFileSync(file, "utf8") } };
  const output = JSON.parse(solc.compile(JSON.stringify({ language: "Solidity", sources, settings })));
  if (output.errors) throw new Error(output.errors.map((error) => error.formattedMessage).join("\n"));
  const { abi, evm } = output.contracts[name][name];
  return { abi, bytecode: evm.bytecode.object, runtime: evm.deployedBytecode.object, compiler: solc.version() };
}

const bytes = (hex) => util.hexToBytes("0x" + hex);
const hex = (array) => util.bytesToHex(array).slice(2);
const energyPerCodeByte = 200;

// What TRON charges otherwise; checked against what a java-tron node charged (tests/vectors/tron/contract-costs.json).
const prices = {
  SLOAD: async () => 50,
  SSTORE: async (step, evm) => {
    const [value, key] = step.stack.slice(-2);
    const old = await evm.stateManager.getContractStorage(step.address, util.setLengthLeft(util.bigIntToBytes(key), 32));
    return value !== 0n && old.every((byte) => byte === 0) ? 20000 : 5000;
  },
  MLOAD: async (step) => fee(step) - 2,
  MSTORE: async (step) => fee(step) - 2,
  CODECOPY: async (step) => fee(step) - 3,
};
const fee = (step) => Number(step.opcode.dynamicFee ?? step.opcode.fee);

async function run(steps) {
  const evm = await EVM.create({ common: new Common({ chain: "mainnet", hardfork: Hardfork.Paris }) });
  let energy = 0;
  evm.events.on("step", async (step, next) => {
    const price = prices[step.opcode.name];
    energy += price ? await price(step, evm) : fee(step);
    next();
  });
  const results = [];
  for (const { from, to, data, value } of steps) {
    energy = 0;
    const { execResult, createdAddress } = await evm.runCall({
      caller: new util.Address(bytes(from)),
      to: to && new util.Address(bytes(to)),
      data: bytes(data),
      value: BigInt(value ?? 0),
      skipBalance: true,
      gasLimit: 10_000_000n,
    });
    if (!to) energy += energyPerCodeByte * execResult.returnValue.length;
    results.push({
      ok: !execResult.exceptionError,
      returned: hex(execResult.returnValue),
      logs: (execResult.logs ?? []).map(([address, topics, log]) => ({
        address: hex(address),
        topics: topics.map(hex),
        data: hex(log),
      })),
      energy,
      address: createdAddress && createdAddress.toString().slice(2),
    });
  }
  return results;
}

async function main([command, ...rest]) {
  if (command === "compile") return console.log(JSON.stringify(compile(...rest)));
  const plays = [];
  for (const steps of JSON.parse(fs.readFileSync(0, "utf8"))) plays.push(await run(steps));
  console.log(JSON.stringify(plays));
}
main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
