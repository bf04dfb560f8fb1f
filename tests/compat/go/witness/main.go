// witness is transparency.dev's omniwitness, unchanged, for one log, with its memory of checkpoints kept in memory
// (its own program brings a database).
//
//	witness -listen HOST:PORT -key FILE -origin ORIGIN -vkey VKEY
//
// It prints its verifier key once it listens.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	f_note "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/witness/config"
	"github.com/transparency-dev/witness/omniwitness"
	"github.com/transparency-dev/witness/persistence/inmemory"
	"golang.org/x/mod/sumdb/note"
)

func run() error {
	listen := flag.String("listen", "", "host:port")
	keyFile := flag.String("key", "", "file with the signer key")
	vkey := flag.String("vkey", "", "verifier key of the log")
	flag.Parse()

	key, err := os.ReadFile(*keyFile)
	if err != nil {
		return err
	}
	signer, err := f_note.NewSignerForCosignatureV1(strings.TrimSpace(string(key)))
	if err != nil {
		return err
	}
	verifier, err := note.NewVerifier(*vkey)
	if err != nil {
		return err
	}
	ctx := context.Background()
	storage := inmemory.New()
	logs := []config.Log{{VKey: *vkey, Verifier: verifier, Origin: verifier.Name(), QPD: 1e6}}
	if err := storage.AddLogs(ctx, logs); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	fmt.Printf("listening on %s\n", listener.Addr())
	operator := omniwitness.OperatorConfig{
		WitnessKeys:     []note.Signer{signer},
		WitnessVerifier: signer.Verifier(),
		Logs:            storage,
	}
	return omniwitness.Main(ctx, operator, storage, listener, &http.Client{Timeout: 10 * time.Second})
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
