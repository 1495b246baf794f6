package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
)

// The files beside the manifest and the arrays of the methods.
const (
	logitsFile  = "logits.npy"
	recordsFile = "manifest.jsonl" // a line of JSON for each image, as soon as all its maps are there
	scoresFile  = "scores.csv"     // a row for each map, on request
)

// record is a line of [recordsFile]. That of a picture that could not be read is a
// [failedImage].
type record struct {
	Row int `json:"row"` // in the arrays
	explained
	Of    []string    `json:"of,omitempty"` // the class of each map, as in Class, where they are of several
	Maps  []madeByOne `json:"maps"`         // method after method
	Error string      `json:"error,omitempty"`
}

// madeByOne is what one method made of one image, as in [mapFile].
type madeByOne struct {
	Method   string    `json:"method"`
	Score    []float32 `json:"score"`
	Residual []float32 `json:"residual,omitempty"`
	Outcome  []string  `json:"outcome"`
}

// chunkRecords are the records of a chunk's images, the first of which has a row, from
// what all methods made of them.
func chunkRecords(chunk []unit, row int, methods []mapFile) []record {
	records := make([]record, len(chunk[0].Images))
	for i, image := range chunk[0].Images {
		r := record{Row: row + i, explained: image}
		r.Pictures = []string{} // rather than null
		for _, u := range chunk {
			k := len(u.Score) / len(records) // maps of an image
			made := madeByOne{Method: methods[u.Method].Method, Score: u.Score[i*k : (i+1)*k], Outcome: u.Outcome[i*k : (i+1)*k]}
			if u.Residual != nil {
				made.Residual = u.Residual[i*k : (i+1)*k]
			}
			r.Maps = append(r.Maps, made)
			r.Pictures = append(r.Pictures, u.Pictures[i]...)
			r.Of = u.Of[i*k : (i+1)*k]
		}
		records[i] = r
	}
	return records
}

// recordLines are lines for [recordsFile].
func recordLines(records []record, failed []failedImage) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	for _, r := range records {
		if len(r.Of) == 1 && r.Of[0] == r.Class {
			r.Of = nil
		}
		if err := e.Encode(r); err != nil {
			return nil, err
		}
	}
	for _, f := range failed {
		if err := e.Encode(f); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// scoreRows are rows for [scoresFile], with its first if they are.
func scoreRows(records []record, first bool) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	var rows [][]string
	if first {
		rows = append(rows, []string{"row", "name", "file", "label", "predicted", "method", "class", "rival", "score", "residual", "outcome"})
	}
	for _, r := range records {
		for _, made := range r.Maps {
			for k, score := range made.Score {
				residual := ""
				if made.Residual != nil {
					residual = decimal(made.Residual[k])
				}
				rows = append(rows, []string{strconv.Itoa(r.Row), r.Name, r.File, r.Label, r.Predicted, made.Method, r.Of[k], r.Rival, decimal(score), residual, made.Outcome[k]})
			}
		}
	}
	err := w.WriteAll(rows)
	return b.Bytes(), err
}

func decimal(v float32) string { return strconv.FormatFloat(float64(v), 'g', -1, 32) }

// readRecords calls visit with every record of a file.
func readRecords(path string, visit func(record) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for d := json.NewDecoder(bufio.NewReader(f)); ; {
		var r record
		switch err := d.Decode(&r); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := visit(r); err != nil {
			return err
		}
	}
}
