// fscklog checks a whole log with Tessera's fsck, then proves records and consistency with Tessera's client.
//
//	fscklog -url URL -vkey VKEY [-older FILE] [-index N]
//
// It prints the size of the log.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
	"time"

	f_log "github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/api/layout"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
)

// A leaf is an entry of the bundle as it stands.
func hashBundle(bundle []byte) ([][]byte, error) {
	var entries api.EntryBundle
	if err := entries.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	hashes := make([][]byte, 0, len(entries.Entries))
	for _, entry := range entries.Entries {
		hashes = append(hashes, rfc6962.DefaultHasher.HashLeaf(entry))
	}
	return hashes, nil
}

func proveRecord(ctx context.Context, fetcher *client.HTTPFetcher, checkpoint *f_log.Checkpoint, index uint64) error {
	proofs, err := client.NewProofBuilder(ctx, checkpoint.Size, fetcher.ReadTile)
	if err != nil {
		return err
	}
	path, err := proofs.InclusionProof(ctx, index)
	if err != nil {
		return err
	}
	bundle, err := client.GetEntryBundle(ctx, fetcher.ReadEntryBundle, index/layout.EntryBundleWidth, checkpoint.Size)
	if err != nil {
		return err
	}
	leaf := rfc6962.DefaultHasher.HashLeaf(bundle.Entries[index%layout.EntryBundleWidth])
	return proof.VerifyInclusion(rfc6962.DefaultHasher, index, checkpoint.Size, leaf, path, checkpoint.Hash)
}

func proveOlder(ctx context.Context, fetcher *client.HTTPFetcher, checkpoint *f_log.Checkpoint, file string,
	verifier note.Verifier) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	older, _, _, err := f_log.ParseCheckpoint(text, verifier.Name(), verifier)
	if err != nil {
		return err
	}
	proofs, err := client.NewProofBuilder(ctx, checkpoint.Size, fetcher.ReadTile)
	if err != nil {
		return err
	}
	path, err := proofs.ConsistencyProof(ctx, older.Size, checkpoint.Size)
	if err != nil {
		return err
	}
	return proof.VerifyConsistency(rfc6962.DefaultHasher, older.Size, checkpoint.Size, path, older.Hash, checkpoint.Hash)
}

func run() error {
	root := flag.String("url", "", "of the log")
	vkey := flag.String("vkey", "", "verifier key of the log")
	older := flag.String("older", "", "file with an older checkpoint")
	index := flag.Uint64("index", 0, "a record to prove")
	flag.Parse()

	verifier, err := note.NewVerifier(*vkey)
	if err != nil {
		return err
	}
	address, err := url.Parse(*root)
	if err != nil {
		return err
	}
	fetcher, err := client.NewHTTPFetcher(address, &http.Client{Timeout: 10 * time.Second})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := fsck.New(verifier.Name(), verifier, fetcher, hashBundle, fsck.Opts{N: 2}).Check(ctx); err != nil {
		return fmt.Errorf("fsck: %w", err)
	}
	checkpoint, _, _, err := client.FetchCheckpoint(ctx, fetcher.ReadCheckpoint, verifier, verifier.Name())
	if err != nil {
		return err
	}
	if err := proveRecord(ctx, fetcher, checkpoint, *index); err != nil {
		return fmt.Errorf("record %d: %w", *index, err)
	}
	if *older != "" {
		if err := proveOlder(ctx, fetcher, checkpoint, *older, verifier); err != nil {
			return fmt.Errorf("the older checkpoint: %w", err)
		}
	}
	fmt.Println(checkpoint.Size)
	return nil
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
