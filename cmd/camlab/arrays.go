package main

import (
	"fmt"
	"image"
	"image/color"
	"strconv"

	"github.com/camlab-go/camlab/camlib/images"
)

// arrays are a part of the images of --input, as the network takes them.
func (o *explainFlags) arrays(m *model, p part) (*subjects, error) {
	read, err := o.photos.options()
	if err != nil {
		return nil, err
	}
	all, err := read.ReadNPY(o.input, m.layout, m.net.Input.Size)
	if err != nil {
		return nil, fmt.Errorf("explain: --input: %w", err)
	}
	sum, err := sumOf(o.input)
	if err != nil {
		return nil, fmt.Errorf("explain: --input: %w", err)
	}
	numbers := make([]int, all.N)
	for i := range numbers {
		numbers[i] = i
	}
	if numbers, err = cut(numbers, p); err != nil {
		return nil, err
	}
	own := all.Part(numbers[0], numbers[len(numbers)-1]+1)
	s := &subjects{array: &own, identity: sum}
	for _, i := range numbers {
		s.files = append(s.files, strconv.Itoa(i))
	}
	s.describe = func(i int) explained { return explained{Name: s.files[i], File: valid(o.input)} }
	s.fetch = func(i int) func() (seen, error) {
		return func() (seen, error) { return seen{image: sketch(own.Part(i, i+1))}, nil }
	}
	return s, nil
}

// sketch draws an array, whatever its values mean: the least black, the largest white.
func sketch(x images.Batch) image.Image {
	low, high := x.Pixels[0], x.Pixels[0]
	for _, v := range x.Pixels {
		low, high = min(low, v), max(high, v)
	}
	out := image.NewNRGBA(image.Rect(0, 0, x.Width, x.Height))
	for i := range x.Height * x.Width {
		var rgb [3]uint8
		for c := range rgb {
			if high > low {
				rgb[c] = uint8(255*(x.Pixels[i*x.Channels+min(c, x.Channels-1)]-low)/(high-low) + 0.5)
			}
		}
		out.SetNRGBA(i%x.Width, i/x.Width, color.NRGBA{R: rgb[0], G: rgb[1], B: rgb[2], A: 0xff})
	}
	return out
}
