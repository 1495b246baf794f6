package cell

import (
	"go/types"
)

// fieldsAndMethods are what may be selected of a value of type t in package own,
// fields first, nearer ones before those of embedded fields, each once.
func fieldsAndMethods(t types.Type, own *types.Package) (list []types.Object) {
	seen := make(map[string]bool)
	add := func(obj types.Object) {
		if (obj.Exported() || obj.Pkg() == own) && obj.Name() != "_" && !seen[obj.Name()] {
			seen[obj.Name()] = true
			list = append(list, obj)
		}
	}
	level := []types.Type{t}
	visited := make(map[types.Type]bool)
	for len(level) > 0 {
		var next []types.Type
		for _, t := range level {
			t = types.Unalias(t)
			if p, ok := t.Underlying().(*types.Pointer); ok {
				t = types.Unalias(p.Elem())
			}
			s, ok := t.Underlying().(*types.Struct)
			if !ok || visited[t] {
				continue
			}
			visited[t] = true
			for f := range s.Fields() {
				add(f)
				if f.Embedded() {
					next = append(next, f.Type())
				}
			}
		}
		level = next
	}
	methods := types.NewMethodSet(t)
	_, pointer := types.Unalias(t).Underlying().(*types.Pointer)
	if !pointer && !types.IsInterface(t) {
		methods = types.NewMethodSet(types.NewPointer(t))
	}
	for i := range methods.Len() {
		add(methods.At(i).Obj())
	}
	return list
}
