// readlog reads a log with golang.org/x/mod/sumdb alone: it opens the checkpoint, checks that an older one is its
// beginning, and every record that it was asked for, from the tiles.
//
//	readlog -url URL -vkey VKEY [-older FILE] [-every N]
//
// It prints the size, and how many records it found included.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	height    = 8
	tileWidth = 1 << height
)

type remoteLog struct {
	url    string
	client http.Client
}

func (l *remoteLog) get(path string) ([]byte, error) {
	response, err := l.client.Get(l.url + "/" + path)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, response.Status)
	}
	return io.ReadAll(response.Body)
}

// C2SP's path of a tile of x/mod, which has the height in it and names the records' tiles otherwise.
func path(tile tlog.Tile) string {
	rest := strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", height))
	return "tile/" + strings.Replace(rest, "data/", "entries/", 1)
}

func (l *remoteLog) Height() int { return height }

func (l *remoteLog) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, tile := range tiles {
		var err error
		if data[i], err = l.get(path(tile)); err != nil {
			return nil, err
		}
	}
	return data, nil
}

func (l *remoteLog) SaveTiles([]tlog.Tile, [][]byte) {}

// The records of bundle `n` in a log of `size`.
func (l *remoteLog) bundle(n, size int64) ([][]byte, error) {
	width := min(size-n*tileWidth, tileWidth)
	data, err := l.get(path(tlog.Tile{H: height, L: -1, N: n, W: int(width)}))
	if err != nil {
		return nil, err
	}
	var records [][]byte
	for len(data) > 0 {
		if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
			return nil, errors.New("a bundle is cut short")
		}
		end := 2 + int(binary.BigEndian.Uint16(data))
		records = append(records, data[2:end])
		data = data[end:]
	}
	if int64(len(records)) != width {
		return nil, fmt.Errorf("bundle %d has %d records, not %d", n, len(records), width)
	}
	return records, nil
}

func openCheckpoint(text []byte, verifier note.Verifier) (tlog.Tree, error) {
	opened, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, fmt.Errorf("not a checkpoint of %s: %q", verifier.Name(), opened.Text)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	var tree tlog.Tree
	tree.N = size
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || copy(tree.Hash[:], root) != tlog.HashSize {
		return tlog.Tree{}, errors.New("the root is no hash")
	}
	return tree, nil
}

func checkRecords(remote *remoteLog, tree tlog.Tree, hashes tlog.HashReader, every int64) (int, error) {
	checked := 0
	for n := int64(0); n*tileWidth < tree.N; n++ {
		records, err := remote.bundle(n, tree.N)
		if err != nil {
			return checked, err
		}
		for i, record := range records {
			index := n*tileWidth + int64(i)
			if index%every != 0 && index != tree.N-1 {
				continue
			}
			proof, err := tlog.ProveRecord(tree.N, index, hashes)
			if err != nil {
				return checked, err
			}
			if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(record)); err != nil {
				return checked, fmt.Errorf("record %d: %w", index, err)
			}
			checked++
		}
	}
	return checked, nil
}

func checkOlder(file string, verifier note.Verifier, tree tlog.Tree, hashes tlog.HashReader) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	older, err := openCheckpoint(text, verifier)
	if err != nil {
		return err
	}
	proof, err := tlog.ProveTree(tree.N, older.N, hashes)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, tree.N, tree.Hash, older.N, older.Hash)
}

func run() error {
	url := flag.String("url", "", "of the log")
	vkey := flag.String("vkey", "", "verifier key of the log")
	older := flag.String("older", "", "file with an older checkpoint")
	every := flag.Int64("every", 1, "check every so many records")
	flag.Parse()

	verifier, err := note.NewVerifier(*vkey)
	if err != nil {
		return err
	}
	remote := &remoteLog{url: *url, client: http.Client{Timeout: 10 * time.Second}}
	text, err := remote.get("checkpoint")
	if err != nil {
		return err
	}
	tree, err := openCheckpoint(text, verifier)
	if err != nil {
		return err
	}
	hashes := tlog.TileHashReader(tree, remote)
	if *older != "" {
		if err := checkOlder(*older, verifier, tree, hashes); err != nil {
			return fmt.Errorf("the older checkpoint: %w", err)
		}
	}
	checked, err := checkRecords(remote, tree, hashes, *every)
	if err != nil {
		return err
	}
	fmt.Printf("%d %d\n", tree.N, checked)
	return nil
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
