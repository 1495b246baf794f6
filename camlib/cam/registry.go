package cam

import (
	"slices"
	"strings"
	"sync"

	"github.com/camlab-go/camlab/camlib/network"
)

// The methods by name, one file each. [Register] adds others.
var (
	mu      sync.RWMutex
	methods = []Method{
		CAM{}, GradCAM{}, GradCAMPlusPlus{}, ScoreCAM{}, AblationCAM{}, XGradCAM{}, HiResCAM{}, LayerCAM{}, FusedLayerCAM{},
		EigenCAM{}, EigenGradCAM{}, SmoothGradCAMPlusPlus{}, SSCAM{}, ISCAM{}, FullGrad{}, ShapleyCAM{}, FinerCAM{}, RefineCAM{}, RandomCAM{},
		Occlusion{}, RISE{}, IntegratedGradients{}, SmoothGrad{},
		AttentionRollout{}, CheferCAM{},
	}
)

// Register makes a method known by its name to [Methods] and [Lookup], and by these to
// everything that takes methods by name. Its value there is m itself, for a type with
// parameters mostly the zero value. It fails with [ErrMethod] for a method that is not
// whole or cannot be compared, and for a name that differs from another method's in
// punctuation and case at most.
func Register(m Method) error {
	s, err := check(m)
	if err != nil {
		return err
	}
	if err := checkKey(m, s.Name); err != nil {
		return err
	}
	mu.Lock()
	defer mu.Unlock()
	for _, other := range methods {
		if name := other.Spec().Name; FileName(name) == FileName(s.Name) {
			return fail(ErrMethod, "register: method %q: there is %q, want another name", s.Name, name)
		}
	}
	methods = append(methods, m)
	return nil
}

// Methods returns all methods: class activation maps in the order of their papers,
// the random baseline, the neighbors that explain pixels, those that explain attention,
// and those of [Register].
func Methods() []Method {
	mu.RLock()
	defer mu.RUnlock()
	return slices.Clone(methods)
}

// MethodsFor returns those of [Methods] that have what they need in a network: without
// attention, those of [Spec].Attention are left out. Whether the network's head is one that
// a method takes is known when it is run.
func MethodsFor(net *network.Network) []Method {
	return slices.DeleteFunc(Methods(), func(m Method) bool { return m.Spec().Attention && net.Attention.Build == nil })
}

// Lookup returns the method of that name. Its punctuation and case do not matter:
// Grad-CAM++ is gradcam++ and gradcampp.
func Lookup(name string) (Method, error) {
	var names []string
	for _, m := range Methods() {
		own := m.Spec().Name
		if FileName(own) == FileName(name) {
			return m, nil
		}
		names = append(names, own)
	}
	return nil, fail(ErrMethod, "method %q, want one of %s", name, strings.Join(names, ", "))
}

// FileName returns a method's name in lower case without punctuation, a plus as p:
// gradcampp.
func FileName(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '+':
			return 'p'
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		}
		return -1
	}, strings.ToLower(name))
}
