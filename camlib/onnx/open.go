package onnx

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/camlab-go/camlab/internal/failure"
	"github.com/camlab-go/camlab/internal/plugin"
)

// ErrModel is what the errors of a file that is no ONNX model, or none that can be taken,
// match under [errors.Is].
var ErrModel = errors.New("no ONNX model")

// ErrClasses is what the error of a number of names of classes that is not that of the
// scores matches.
var ErrClasses = errors.New("names of classes")

// The opsets of the default domain whose operators are known.
const (
	minOpset = 7
	maxOpset = 28
)

// maxFile is more bytes than a protocol buffer can have.
const maxFile = 1 << 31

// Model is an ONNX file that has been read. It keeps the file's bytes.
type Model struct {
	name    string // of the file, or what the producer is called
	dir     string // the file's folder; empty for one that [Decode] read
	opset   int64
	graph   *graph
	weights map[string]*weight // by the constants that are variables
}

// Open reads an ONNX file. Weights that it keeps in files of their own are read from its
// folder, and from nowhere else. The error matches [ErrModel] unless the file cannot be
// read.
//
// Open a model before a backend: XLA is then loaded without the flags under which it ends
// the process for some graphs. See [Model.Network].
func Open(path string) (*Model, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() >= maxFile {
		return nil, failure.New(ErrModel, "onnx: %s: %d bytes of mode %s, want a file of less than 2 GiB", path, info.Size(), info.Mode().Type())
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	m, err := Decode(data, filepath.Dir(path))
	if err != nil {
		return nil, failure.New(ErrModel, "onnx: %s: %w", path, err)
	}
	m.dir, m.name = filepath.Split(path)
	m.dir = filepath.Clean(m.dir) // "." of none
	return m, nil
}

// Decode is [Open] of a file's contents. dir is the folder of weights in files of their
// own; none may be where it is empty.
func Decode(data []byte, dir string) (*Model, error) {
	plugin.RunForeign()
	p, err := parseModel(data)
	if err != nil {
		return nil, failure.New(ErrModel, "%w, want the .onnx file of torch.onnx.export, tf2onnx or another exporter", err)
	}
	if err := p.check(); err != nil {
		return nil, failure.New(ErrModel, "%w", err)
	}
	if err := p.readExternal(dir); err != nil {
		return nil, failure.New(ErrModel, "%w", err)
	}
	m := &Model{name: p.producer, opset: p.opsets[""]}
	if m.graph, err = newGraph(p); err != nil {
		return nil, failure.New(ErrModel, "%w", err)
	}
	m.findWeights()
	return m, nil
}

func (p *modelProto) check() error {
	switch {
	case p.graph == nil:
		return fmt.Errorf("%w: no graph, want one", errNotONNX)
	case p.ir <= 0:
		return fmt.Errorf("%w: no version of ONNX's format, want one", errNotONNX)
	case p.graph.sparse:
		return errors.New("sparse initializers, want a model with dense ones: export it without")
	}
	opset, ok := p.opsets[""]
	if !ok && len(p.opsets) > 0 {
		return fmt.Errorf("operators of %v alone, want those of ONNX's default domain: camlab does not know others", sortedKeys(p.opsets))
	}
	if opset == 0 { // of a file older than opsets
		opset = 1
	}
	if opset < minOpset || opset > maxOpset {
		return fmt.Errorf("opset %d, want %d to %d: export it again with opset_version=18, or convert it with onnx.version_converter", opset, minOpset, maxOpset)
	}
	return nil
}

// readExternal reads the tensors that lie in files of the model's folder.
func (p *modelProto) readExternal(dir string) error {
	var root *os.Root
	read := make(map[string]int64) // bytes of each file
	each := func(t *tensorProto) (err error) {
		if !t.outside {
			return nil
		}
		if root == nil {
			if dir == "" {
				return fmt.Errorf("tensor %q: in a file of its own, want a folder to find it in", t.name)
			}
			if root, err = os.OpenRoot(dir); err != nil {
				return err
			}
		}
		if err := t.readFrom(root, read); err != nil {
			return fmt.Errorf("tensor %q: weights in %q: %w", t.name, t.external["location"], err)
		}
		return nil
	}
	defer func() {
		if root != nil {
			root.Close()
		}
	}()
	return p.tensors(each)
}

// tensors calls f with each tensor of a model.
func (p *modelProto) tensors(f func(*tensorProto) error) error {
	var inGraph func(g *graphProto) error
	inNodes := func(nodes []*nodeProto) error {
		for _, n := range nodes {
			for _, a := range n.attributes {
				if a.t != nil {
					if err := f(a.t); err != nil {
						return err
					}
				}
				if a.g != nil {
					if err := inGraph(a.g); err != nil {
						return err
					}
				}
			}
		}
		return nil
	}
	inGraph = func(g *graphProto) error {
		for _, t := range g.initializers {
			if err := f(t); err != nil {
				return err
			}
		}
		return inNodes(g.nodes)
	}
	for _, fn := range p.functions {
		if err := inNodes(fn.nodes); err != nil {
			return err
		}
	}
	return inGraph(p.graph)
}

// readFrom reads a tensor's bytes from a file of a folder. No part of the file is read
// more often than a file needs that keeps each tensor once.
func (t *tensorProto) readFrom(root *os.Root, read map[string]int64) error {
	location := t.external["location"]
	if !filepath.IsLocal(location) {
		return errors.New("want the name of a file in the model's folder or below it")
	}
	info, err := root.Stat(location)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("not a file")
	}
	number := func(key string, otherwise int64) (int64, error) {
		text, ok := t.external[key]
		if !ok {
			return otherwise, nil
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return 0, fmt.Errorf("%s of %q, want a number of bytes", key, text)
		}
		return n, nil
	}
	offset, err := number("offset", 0)
	if err != nil {
		return err
	}
	length, err := number("length", info.Size()-offset)
	if err != nil {
		return err
	}
	if offset > info.Size() || length < 0 || length > info.Size()-offset {
		return fmt.Errorf("%d bytes from %d on, want what lies within its %d", length, offset, info.Size())
	}
	const often = 4
	if read[location] += length; read[location] > often*info.Size() {
		return fmt.Errorf("its %d bytes are used more than %d times, want each tensor in a place of its own", info.Size(), often)
	}
	file, err := root.Open(location)
	if err != nil {
		return err
	}
	defer file.Close()
	t.raw = make([]byte, length)
	if _, err := io.ReadFull(io.NewSectionReader(file, offset, length), t.raw); err != nil {
		return err
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
