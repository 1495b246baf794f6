package npy

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// Reader reads the values of a NumPy file, row by row.
type Reader struct {
	Shape []int

	r     *bufio.Reader
	width int // of a value in bytes
	value func(b []byte) float32
}

// maxHeader is the longest header that is read. NumPy writes 118 bytes for arrays of few
// axes.
const maxHeader = 1 << 16

var (
	descr   = regexp.MustCompile(`'descr': *'([^']*)'`)
	fortran = regexp.MustCompile(`'fortran_order': *(True|False)`)
	shape   = regexp.MustCompile(`'shape': *\(([^)]*)\)`)
)

// NewReader reads a file's header, in versions 1 to 3 of NEP 1, and checks it against the
// file's size in bytes: it takes no memory for what a file only claims to have. The values
// may be float32, float64, float16 or uint8, in either byte order, row by row ("C order").
func NewReader(r io.Reader, size int64) (*Reader, error) {
	b := bufio.NewReader(r)
	var magic [8]byte
	if _, err := io.ReadFull(b, magic[:]); err != nil || string(magic[:6]) != "\x93NUMPY" {
		return nil, orRead(err, "no NumPy file, want one that numpy.save writes (.npy)")
	}
	var length [4]byte
	start := int64(len(magic) + len(length))
	read := length[:]
	if magic[6] == 1 {
		start, read = start-2, length[:2]
	}
	if magic[6] < 1 || magic[6] > 3 {
		return nil, fmt.Errorf("version %d of the NumPy format, want 1 to 3", magic[6])
	}
	if _, err := io.ReadFull(b, read); err != nil {
		return nil, orRead(err, "the file ends in its header")
	}
	n := binary.LittleEndian.Uint32(length[:])
	if n > maxHeader {
		return nil, fmt.Errorf("a header of %d bytes, want at most %d", n, maxHeader)
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(b, header); err != nil {
		return nil, orRead(err, "the file ends in its header")
	}
	a := &Reader{r: b}
	if err := a.parse(string(header)); err != nil {
		return nil, err
	}
	count := int64(1)
	for _, d := range a.Shape {
		if d > 0 && count > math.MaxInt64/int64(d)/8 {
			return nil, fmt.Errorf("shape %v, want fewer values", a.Shape)
		}
		count *= int64(d)
	}
	if want := start + int64(n) + count*int64(a.width); size != want {
		return nil, fmt.Errorf("%d bytes, want %d for shape %v: the file is cut off, or its header is of another one", size, want, a.Shape)
	}
	return a, nil
}

// parse reads the dictionary of a header.
func (a *Reader) parse(header string) error {
	kind, order, axes := descr.FindStringSubmatch(header), fortran.FindStringSubmatch(header), shape.FindStringSubmatch(header)
	if kind == nil || order == nil || axes == nil {
		return fmt.Errorf("header %q, want descr, fortran_order and shape of a plain array", clip(header))
	}
	if order[1] == "True" {
		return errors.New("an array in Fortran order, want C order: save numpy.ascontiguousarray(x)")
	}
	for axis := range strings.SplitSeq(axes[1], ",") {
		axis = strings.TrimSpace(axis)
		if axis == "" {
			continue
		}
		d, err := strconv.Atoi(axis)
		if err != nil || d < 0 {
			return fmt.Errorf("shape (%s), want whole numbers", clip(axes[1]))
		}
		a.Shape = append(a.Shape, d)
	}
	if len(a.Shape) > 32 {
		return fmt.Errorf("an array of %d axes, want at most 32", len(a.Shape))
	}
	var bytes binary.ByteOrder = binary.LittleEndian
	if strings.HasPrefix(kind[1], ">") {
		bytes = binary.BigEndian
	}
	switch strings.TrimLeft(kind[1], "<>|=") {
	case "f4":
		a.width, a.value = 4, func(b []byte) float32 { return math.Float32frombits(bytes.Uint32(b)) }
	case "f8":
		a.width, a.value = 8, func(b []byte) float32 { return float32(math.Float64frombits(bytes.Uint64(b))) }
	case "f2":
		a.width, a.value = 2, func(b []byte) float32 { return half(bytes.Uint16(b)) }
	case "u1":
		a.width, a.value = 1, func(b []byte) float32 { return float32(b[0]) }
	default:
		return fmt.Errorf("values of type %q, want float32, float64, float16 or uint8: save x.astype(numpy.float32)", clip(kind[1]))
	}
	return nil
}

// Read fills values with the next ones.
func (a *Reader) Read(values []float32) error {
	b := make([]byte, min(1<<16, len(values)*a.width))
	for len(values) > 0 {
		n := min(len(b)/a.width, len(values))
		if _, err := io.ReadFull(a.r, b[:n*a.width]); err != nil {
			return orRead(err, "the file ends too early")
		}
		for i := range n {
			values[i] = a.value(b[i*a.width:])
		}
		values = values[n:]
	}
	return nil
}

// half returns a number of IEEE 754's binary16, which all are in binary32.
func half(bits uint16) float32 {
	sign, exponent, fraction := uint32(bits>>15)<<31, uint32(bits>>10&0x1f), uint32(bits&0x3ff)
	switch exponent {
	case 0: // zero and subnormals, fraction · 2⁻²⁴
		return math.Float32frombits(sign | math.Float32bits(float32(fraction)*0x1p-24))
	case 0x1f: // infinity and NaN
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}

// orRead returns an error of reading, or one of a text where the file just ends.
func orRead(err error, text string) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New(text)
	}
	return err
}

// clip keeps what a file says from filling a terminal.
func clip(text string) string {
	if len(text) > 100 {
		return text[:100] + "…"
	}
	return strings.TrimSpace(text)
}
