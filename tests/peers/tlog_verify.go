// Checks a log of Millwright with the original implementation of Go's checksum database: golang.org/x/mod/sumdb/note and sumdb/tlog.
//
//	tlog_verify log URL VKEY [OLD_CHECKPOINT]      the checkpoint, every entry, every inclusion proof, and that the log extends the old checkpoint
//	tlog_verify proof VKEY FILE.tlog-proof LEAF    one proof from files
//
// Prints what it checked as JSON. Exit status 1 when something is refused.
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "refused:", err)
		os.Exit(1)
	}
}

func refuse(format string, arguments ...interface{}) {
	must(fmt.Errorf(format, arguments...))
}

func fetch(url string) ([]byte, error) {
	response, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != 200 {
		err = fmt.Errorf("GET %s: %s: %s", url, response.Status, body)
	}
	return body, err
}

// openCheckpoint checks the signature, and reads origin, size and root.
func openCheckpoint(signed []byte, vkey string) tlog.Tree {
	verifier, err := note.NewVerifier(vkey)
	must(err)
	opened, err := note.Open(signed, note.VerifierList(verifier))
	must(err)
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		refuse("not a checkpoint of %s", verifier.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err)
	root, err := tlog.ParseHash(lines[2])
	must(err)
	return tlog.Tree{N: size, Hash: root}
}

// path is the address of a tile by c2sp.org/tlog-tiles, which leaves out the height.
func path(tile tlog.Tile) string {
	parts := strings.SplitN(tile.Path(), "/", 4)
	return "tile/" + parts[2] + "/" + parts[3]
}

type tiles struct{ base string }

func (t tiles) Height() int { return height }

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range wanted {
		data, err := fetch(t.base + "/log/" + path(tile))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// entries fetches all leaves.
func entries(base string, size int64) [][]byte {
	var all [][]byte
	for int64(len(all)) < size {
		width := size - int64(len(all))
		if width > 1<<height {
			width = 1 << height
		}
		tile := tlog.Tile{H: height, L: -1, N: int64(len(all)) >> height, W: int(width)}
		bundle, err := fetch(base + "/log/" + strings.Replace(path(tile), "tile/data/", "tile/entries/", 1))
		must(err)
		before := len(all)
		for len(bundle) > 0 {
			length := int(bundle[0])<<8 | int(bundle[1])
			all = append(all, bundle[2:2+length])
			bundle = bundle[2+length:]
		}
		if int64(len(all)-before) != width {
			refuse("bundle %d has %d entries", tile.N, len(all)-before)
		}
	}
	return all
}

func checkLog(base, vkey, oldFile string) map[string]interface{} {
	signed, err := fetch(base + "/log/checkpoint")
	must(err)
	tree := openCheckpoint(signed, vkey)
	reader := tlog.TileHashReader(tree, tiles{base})
	all := entries(base, tree.N)
	for index, entry := range all {
		proof, err := tlog.ProveRecord(tree.N, int64(index), reader)
		must(err)
		must(tlog.CheckRecord(proof, tree.N, tree.Hash, int64(index), tlog.RecordHash(entry)))
		// The same entry with another ending is not in the log.
		if tlog.CheckRecord(proof, tree.N, tree.Hash, int64(index), tlog.RecordHash(append([]byte("x"), entry...))) == nil {
			refuse("a changed entry was proven")
		}
	}
	// The proofs that the server makes itself.
	served := 0
	for index := int64(0); index < tree.N; index += 37 {
		body, err := fetch(fmt.Sprintf("%s/api/v1/log/%d/proof", base, index))
		must(err)
		var answer struct {
			Leaf, Checkpoint string
			Path             []string
		}
		must(json.Unmarshal(body, &answer))
		newer := openCheckpoint([]byte(answer.Checkpoint), vkey)
		var proof tlog.RecordProof
		for _, hex := range answer.Path {
			var hash tlog.Hash
			for at := range hash {
				value, err := strconv.ParseUint(hex[2*at:2*at+2], 16, 8)
				must(err)
				hash[at] = byte(value)
			}
			proof = append(proof, hash)
		}
		must(tlog.CheckRecord(proof, newer.N, newer.Hash, index, tlog.RecordHash([]byte(answer.Leaf))))
		served++
	}
	result := map[string]interface{}{"size": tree.N, "entries": len(all), "served_proofs": served}
	if oldFile != "" {
		signed, err := os.ReadFile(oldFile)
		must(err)
		old := openCheckpoint(signed, vkey)
		proof, err := tlog.ProveTree(tree.N, old.N, reader)
		must(err)
		must(tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash))
		result["extends"] = old.N
	}
	return result
}

func checkProof(vkey, file, leafFile string) map[string]interface{} {
	text, err := os.ReadFile(file)
	must(err)
	leaf, err := os.ReadFile(leafFile)
	must(err)
	parts := strings.SplitN(string(text), "\n\n", 2)
	lines := strings.Split(parts[0], "\n")
	if len(parts) != 2 || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		refuse("not a proof file")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	must(err)
	var proof tlog.RecordProof
	for _, line := range lines[2:] {
		bytes, err := base64.StdEncoding.DecodeString(line)
		must(err)
		var hash tlog.Hash
		copy(hash[:], bytes)
		proof = append(proof, hash)
	}
	tree := openCheckpoint([]byte(parts[1]), vkey)
	must(tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(leaf)))
	return map[string]interface{}{"index": index, "size": tree.N}
}

func main() {
	arguments := os.Args[1:]
	var result map[string]interface{}
	switch {
	case len(arguments) >= 3 && arguments[0] == "log":
		result = checkLog(arguments[1], arguments[2], strings.Join(arguments[3:], ""))
	case len(arguments) == 4 && arguments[0] == "proof":
		result = checkProof(arguments[1], arguments[2], arguments[3])
	default:
		refuse("see the usage in the source")
	}
	out, err := json.Marshal(result)
	must(err)
	fmt.Println(string(out))
}
