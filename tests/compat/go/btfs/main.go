// btfs does what the historical BTFS wallet did, with the library that it was built on (go-btfs-common): its keys, its
// messages, its signatures, its connections. It prints a JSON line for each answer; an error is the last line, and the
// exit code is 1.
//
//	btfs accounts   -server URL -key HEX -peer-key HEX             creates both accounts, signed
//	btfs balance    -server URL -key HEX -escrow-address HEX       the signed balance, verified as the wallet does
//	btfs import     -server URL -address HEX                       anybody's balance, unsigned
//	btfs open       -server URL -key HEX -address HEX -amount N    a channel to that address
//	btfs info       -server URL -channel N
//	btfs close      -server URL -key HEX -peer-key HEX -channel N -from N -to N [-sequence N] [-signers both|from|to]
//	btfs closed     -server URL -key HEX [-after N]                the next closed channel of the key
//	btfs transfer   -server URL -key HEX -address HEX -amount N    to the ledger itself
//	btfs pay        -server URL -key HEX -address HEX -amount N    through the escrow
//	btfs deposit    -server URL -key HEX -amount N [-first D] [-every D] [-patience D]
//	btfs withdraw   -server URL -key HEX -amount N [-external HEX] [-abandon]
//	btfs query      -server URL -id N                              what became of a deposit or withdrawal
//	btfs activate   -server URL -key HEX
//	btfs selfcheck  -vectors FOLDER                                offline: the bytes that it would send and sign
package main

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"
)

type options struct {
	server, key, peerKey, address, external, escrowAddress, signers, vectors string
	amount, channel, sequence, from, to, after, id                           int64
	first, every, patience                                                   time.Duration
	abandon                                                                  bool
}

func parse(arguments []string) (*options, error) {
	o := &options{}
	flags := flag.NewFlagSet("btfs", flag.ContinueOnError)
	flags.StringVar(&o.server, "server", "", "http://host:port of all three services")
	flags.StringVar(&o.key, "key", "", "the wallet's private key")
	flags.StringVar(&o.peerKey, "peer-key", "", "the other party's private key")
	flags.StringVar(&o.address, "address", "", "the other party's 65 bytes")
	flags.StringVar(&o.external, "external", "", "the TRON address to withdraw to, unless it is the key's own")
	flags.StringVar(&o.escrowAddress, "escrow-address", "", "the key that the escrow signs balances with, 65 bytes")
	flags.StringVar(&o.signers, "signers", "both", "whose signatures a closing state has: both, from or to")
	flags.StringVar(&o.vectors, "vectors", "", "folder of the vectors")
	flags.Int64Var(&o.amount, "amount", 0, "micro-BTT")
	flags.Int64Var(&o.channel, "channel", 0, "a channel's id")
	flags.Int64Var(&o.sequence, "sequence", 1, "of the state")
	flags.Int64Var(&o.from, "from", 0, "the payer's balance in the state")
	flags.Int64Var(&o.to, "to", 0, "the recipient's balance in the state")
	flags.Int64Var(&o.after, "after", 0, "the last close_sequence that is known")
	flags.Int64Var(&o.id, "id", 0, "of a deposit or withdrawal")
	flags.DurationVar(&o.first, "first", time.Minute, "from the transaction's timestamp to the first ConfirmDeposit")
	flags.DurationVar(&o.every, "every", 5*time.Second, "between two of them, and between two tries to close")
	flags.DurationVar(&o.patience, "patience", 7*24*time.Hour, "after the transaction's expiration")
	flags.BoolVar(&o.abandon, "abandon", false, "stop before Withdraw, as a client that is killed there")
	return o, flags.Parse(arguments)
}

var commands = map[string]func(*options) error{
	"accounts":  accounts,
	"balance":   balance,
	"import":    importAccount,
	"open":      open,
	"info":      info,
	"close":     closeChannel,
	"closed":    closed,
	"transfer":  transfer,
	"pay":       pay,
	"deposit":   deposit,
	"withdraw":  withdraw,
	"query":     query,
	"activate":  activate,
	"selfcheck": selfcheck,
}

type line map[string]any

func emit(answer line) {
	text, err := json.Marshal(answer)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(text))
}

func run(arguments []string) error {
	if len(arguments) == 0 || commands[arguments[0]] == nil {
		return fmt.Errorf("the commands are in main.go; got %q", arguments)
	}
	o, err := parse(arguments[1:])
	if err != nil {
		return err
	}
	return commands[arguments[0]](o)
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		emit(line{"error": err.Error()})
		os.Exit(1)
	}
}

func unhex(text, what string) ([]byte, error) {
	bytes, err := hex.DecodeString(text)
	if err != nil || len(bytes) == 0 {
		return nil, fmt.Errorf("no %s: %q", what, text)
	}
	return bytes, nil
}
