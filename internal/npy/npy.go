// Package npy makes the headers of NumPy files and reads such files, for which npyio is
// too much and too little: it needs gonum's linear algebra, which every cell of a notebook
// would link, writes whole arrays alone, believes what a header claims, and misreads float16's
// subnormals.
package npy

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// HeaderSize is the length of a header in bytes, what numpy writes for arrays of few
// axes: a multiple of 64, so that the values are aligned.
const HeaderSize = 128

// Header returns the header of float32 values, row by row, in version 1.0 of NEP 1.
// A shape of more than about a dozen axes does not fit.
func Header(shape []int) []byte { return HeaderOf("<f4", shape) }

// HeaderOf is [Header] of values of another type, as NumPy names it: <i8, |u1, <U10.
func HeaderOf(descr string, shape []int) []byte {
	axes := strings.Builder{}
	for _, d := range shape {
		fmt.Fprintf(&axes, "%d, ", d)
	}
	const magic = "\x93NUMPY\x01\x00" // version 1.0: the length of the rest in two bytes
	header := binary.LittleEndian.AppendUint16([]byte(magic), HeaderSize-uint16(len(magic))-2)
	text := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, strings.TrimSuffix(axes.String(), " "))
	return fmt.Appendf(header, "%-*s\n", HeaderSize-len(header)-1, text)
}
