// Command tree_vectors writes to standard output what Go's own transparency log packages make of a
// fixed tree and fixed keys: the vectors in tests/samples/tree, whose README says how to run it.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	height = 8
	leaves = 70000
	origin = "urn:evt:01jd3v6kq8e0r8m1n4k5x7y9zt"
)

type tile struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
}

type tree struct {
	Size  int64  `json:"size"`
	Root  string `json:"root"`
	Tiles []tile `json:"tiles"`
}

type inclusion struct {
	Index int64    `json:"index"`
	Size  int64    `json:"size"`
	Proof []string `json:"proof"`
}

type consistency struct {
	Old   int64    `json:"old"`
	Size  int64    `json:"size"`
	Proof []string `json:"proof"`
}

type key struct {
	Private string `json:"private"`
	Vkey    string `json:"vkey"`
}

type signed struct {
	Text string `json:"text"`
	Keys []int  `json:"keys"` // places in the list of keys
	Note string `json:"note"`
}

type vectors struct {
	Leaf        string        `json:"leaf"`
	Trees       []tree        `json:"trees"`
	Inclusion   []inclusion   `json:"inclusion"`
	Consistency []consistency `json:"consistency"`
	Keys        []key         `json:"keys"`
	Notes       []signed      `json:"notes"`
}

// stored holds the hashes of the tree in tlog's own order.
type stored []tlog.Hash

func (s stored) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		found[i] = s[index]
	}
	return found, nil
}

func main() {
	var hashes stored
	for i := int64(0); i < leaves; i++ {
		more, err := tlog.StoredHashes(i, []byte(fmt.Sprintf("leaf %d", i)), hashes)
		check(err)
		hashes = append(hashes, more...)
	}
	made := vectors{Leaf: "the text `leaf <index>`, counted from 0", Keys: keys()}
	for _, size := range []int64{1, 2, 3, 7, 255, 256, 257, 1000, 65535, 65536, 65537, 70000} {
		made.Trees = append(made.Trees, treeOf(size, hashes))
	}
	for _, pair := range [][2]int64{
		{0, 1}, {0, 2}, {2, 3}, {6, 7}, {0, 7}, {100, 255}, {255, 256}, {256, 257}, {999, 1000}, {512, 1000},
		{0, 70000}, {65535, 70000}, {65536, 70000}, {69999, 70000}, {12345, 70000},
	} {
		proof, err := tlog.ProveRecord(pair[1], pair[0], hashes)
		check(err)
		made.Inclusion = append(made.Inclusion, inclusion{pair[0], pair[1], texts(proof)})
	}
	for _, pair := range [][2]int64{
		{1, 1}, {1, 2}, {2, 3}, {3, 7}, {4, 7}, {6, 7}, {255, 256}, {256, 257}, {257, 1000}, {768, 1000},
		{1, 70000}, {1000, 70000}, {65535, 70000}, {65536, 70000}, {65537, 70000}, {70000, 70000},
	} {
		proof, err := tlog.ProveTree(pair[1], pair[0], hashes)
		check(err)
		made.Consistency = append(made.Consistency, consistency{pair[0], pair[1], texts(proof)})
	}
	for _, size := range []int64{0, 1, 1000, 70000} {
		made.Notes = append(made.Notes, sign(headOf(size, hashes), made.Keys, 0))
	}
	made.Notes = append(made.Notes,
		sign(headOf(257, hashes), made.Keys, 0, 1),
		sign("If you think cryptography is the answer to your problem,\n\nthen you don't know what — it is.\n", made.Keys, 2),
	)
	written := json.NewEncoder(os.Stdout)
	written.SetEscapeHTML(false)
	written.SetIndent("", " ")
	check(written.Encode(made))
}

// keys are two of the log (the second follows the first) and one of somebody else, from fixed seeds.
func keys() []key {
	var all []key
	for i, name := range []string{origin, origin, "example.com/größer"} {
		seed := sha256.Sum256([]byte(fmt.Sprintf("a key for tests, number %d", i)))
		private, vkey, err := note.GenerateKey(bytes.NewReader(seed[:]), name)
		check(err)
		all = append(all, key{private, vkey})
	}
	return all
}

func treeOf(size int64, hashes stored) tree {
	root, err := tlog.TreeHash(size, hashes)
	check(err)
	made := tree{Size: size, Root: hex.EncodeToString(root[:]), Tiles: []tile{}}
	for level := 0; size>>(height*level) > 0; level++ {
		held := size >> (height * level)
		for number := int64(0); number<<height < held; number++ {
			width := held - number<<height
			if width > 1<<height {
				width = 1 << height
			}
			// All partial tiles, and of the full ones the first and the last.
			if width == 1<<height && number > 0 && (number+2)<<height <= held {
				continue
			}
			each := tlog.Tile{H: height, L: level, N: number, W: int(width)}
			data, err := tlog.ReadTileData(each, hashes)
			check(err)
			sum := sha256.Sum256(data)
			// Go's paths name the height, which is always 8 in tlog-tiles.
			path := strings.Replace(each.Path(), "tile/8/", "tile/", 1)
			made.Tiles = append(made.Tiles, tile{path, hex.EncodeToString(sum[:])})
		}
	}
	return made
}

func headOf(size int64, hashes stored) string {
	root, err := tlog.TreeHash(size, hashes)
	check(err)
	if size == 0 {
		root = tlog.Hash(sha256.Sum256(nil)) // RFC 6962; Go's package leaves it at nought
	}
	return fmt.Sprintf("%s\n%d\n%s\n", origin, size, base64.StdEncoding.EncodeToString(root[:]))
}

func sign(text string, keys []key, places ...int) signed {
	var signers []note.Signer
	for _, place := range places {
		signer, err := note.NewSigner(keys[place].Private)
		check(err)
		signers = append(signers, signer)
	}
	made, err := note.Sign(&note.Note{Text: text}, signers...)
	check(err)
	return signed{text, places, string(made)}
}

func texts(hashes []tlog.Hash) []string {
	made := []string{}
	for _, hash := range hashes {
		made = append(made, hex.EncodeToString(hash[:]))
	}
	return made
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
