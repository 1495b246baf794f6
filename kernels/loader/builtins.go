//go:build linux && amd64 && go1.26 && !go1.27

package loader

// Code in this file is from builtinlist.go of cmd/internal/goobj, Go 1.26:
// Copyright 2019 The Go Authors, BSD-3-Clause. It is in another form.

import "strings"

// builtin returns the name and ABI of one of the symbols of the runtime that
// objects refer to by number.
func builtin(i uint32) (name string, abi uint16) {
	name, data := strings.CutSuffix(strings.ReplaceAll(builtins[i], "·", " "), "=")
	if data {
		return name, 0
	}
	return name, abiInternal
}

// builtins are these names, by number. Those of ABI 0, which are data, types and
// functions in assembly, end with "="; a · is a space.
var builtins = strings.Fields(`
runtime.newobject runtime.mallocgc runtime.panicdivide runtime.panicshift runtime.panicmakeslicelen
runtime.panicmakeslicecap runtime.throwinit runtime.panicwrap runtime.gopanic runtime.gorecover
runtime.goschedguarded runtime.goPanicIndex runtime.goPanicIndexU runtime.goPanicSliceAlen
runtime.goPanicSliceAlenU runtime.goPanicSliceAcap runtime.goPanicSliceAcapU
runtime.goPanicSliceB runtime.goPanicSliceBU runtime.goPanicSlice3Alen runtime.goPanicSlice3AlenU
runtime.goPanicSlice3Acap runtime.goPanicSlice3AcapU runtime.goPanicSlice3B runtime.goPanicSlice3BU
runtime.goPanicSlice3C runtime.goPanicSlice3CU runtime.goPanicSliceConvert runtime.printbool
runtime.printfloat64 runtime.printfloat32 runtime.printint runtime.printhex runtime.printuint
runtime.printcomplex128 runtime.printcomplex64 runtime.printstring runtime.printquoted
runtime.printpointer runtime.printuintptr runtime.printiface runtime.printeface runtime.printslice
runtime.printnl runtime.printsp runtime.printlock runtime.printunlock runtime.concatstring2
runtime.concatstring3 runtime.concatstring4 runtime.concatstring5 runtime.concatstrings
runtime.concatbyte2 runtime.concatbyte3 runtime.concatbyte4 runtime.concatbyte5 runtime.concatbytes
runtime.cmpstring runtime.intstring runtime.slicebytetostring runtime.slicebytetostringtmp
runtime.slicerunetostring runtime.stringtoslicebyte runtime.stringtoslicerune runtime.slicecopy
runtime.decoderune runtime.countrunes runtime.convT runtime.convTnoptr runtime.convT16
runtime.convT32 runtime.convT64 runtime.convTstring runtime.convTslice runtime.assertE2I
runtime.assertE2I2 runtime.panicdottypeE runtime.panicdottypeI runtime.panicnildottype
runtime.typeAssert runtime.interfaceSwitch runtime.ifaceeq runtime.efaceeq runtime.panicrangestate
runtime.deferrangefunc runtime.rand runtime.rand32 runtime.makemap64 runtime.makemap
runtime.makemap_small runtime.mapaccess1 runtime.mapaccess1_fast32 runtime.mapaccess1_fast64
runtime.mapaccess1_faststr runtime.mapaccess1_fat runtime.mapaccess2 runtime.mapaccess2_fast32
runtime.mapaccess2_fast64 runtime.mapaccess2_faststr runtime.mapaccess2_fat runtime.mapassign
runtime.mapassign_fast32 runtime.mapassign_fast32ptr runtime.mapassign_fast64
runtime.mapassign_fast64ptr runtime.mapassign_faststr runtime.mapIterStart runtime.mapdelete
runtime.mapdelete_fast32 runtime.mapdelete_fast64 runtime.mapdelete_faststr runtime.mapIterNext
runtime.mapclear runtime.makechan64 runtime.makechan runtime.chanrecv1 runtime.chanrecv2
runtime.chansend1 runtime.closechan runtime.chanlen runtime.chancap runtime.writeBarrier=
runtime.typedmemmove runtime.typedmemclr runtime.typedslicecopy runtime.selectnbsend
runtime.selectnbrecv runtime.selectsetpc runtime.selectgo runtime.block runtime.makeslice
runtime.makeslice64 runtime.makeslicecopy runtime.growslice runtime.unsafeslicecheckptr
runtime.panicunsafeslicelen runtime.panicunsafeslicenilptr runtime.unsafestringcheckptr
runtime.panicunsafestringlen runtime.panicunsafestringnilptr runtime.memmove
runtime.memclrNoHeapPointers runtime.memclrHasPointers runtime.memequal runtime.memequal0
runtime.memequal8 runtime.memequal16 runtime.memequal32 runtime.memequal64 runtime.memequal128
runtime.f32equal runtime.f64equal runtime.c64equal runtime.c128equal runtime.strequal
runtime.interequal runtime.nilinterequal runtime.memhash runtime.memhash0 runtime.memhash8
runtime.memhash16 runtime.memhash32 runtime.memhash64 runtime.memhash128 runtime.f32hash
runtime.f64hash runtime.c64hash runtime.c128hash runtime.strhash runtime.interhash
runtime.nilinterhash runtime.int64div runtime.uint64div runtime.int64mod runtime.uint64mod
runtime.float64toint64 runtime.float64touint64 runtime.float64touint32 runtime.int64tofloat64
runtime.int64tofloat32 runtime.uint64tofloat64 runtime.uint64tofloat32 runtime.uint32tofloat64
runtime.complex128div runtime.racefuncenter runtime.racefuncexit runtime.raceread runtime.racewrite
runtime.racereadrange runtime.racewriterange runtime.msanread runtime.msanwrite runtime.msanmove
runtime.asanread runtime.asanwrite runtime.checkptrAlignment runtime.checkptrArithmetic
runtime.libfuzzerTraceCmp1 runtime.libfuzzerTraceCmp2 runtime.libfuzzerTraceCmp4
runtime.libfuzzerTraceCmp8 runtime.libfuzzerTraceConstCmp1 runtime.libfuzzerTraceConstCmp2
runtime.libfuzzerTraceConstCmp4 runtime.libfuzzerTraceConstCmp8 runtime.libfuzzerHookStrCmp
runtime.libfuzzerHookEqualFold runtime.addCovMeta runtime.x86HasPOPCNT= runtime.x86HasSSE41=
runtime.x86HasFMA= runtime.armHasVFPv4= runtime.arm64HasATOMICS= runtime.loong64HasLAMCAS=
runtime.loong64HasLAM_BH= runtime.loong64HasLSX= runtime.riscv64HasZbb= runtime.asanregisterglobals
runtime.deferproc runtime.deferprocStack runtime.deferreturn runtime.newproc runtime.panicoverflow
runtime.sigpanic runtime.gcWriteBarrier runtime.duffzero runtime.duffcopy runtime.morestack=
runtime.morestackc= runtime.morestack_noctxt= type:int8= type:*int8= type:uint8= type:*uint8=
type:int16= type:*int16= type:uint16= type:*uint16= type:int32= type:*int32= type:uint32=
type:*uint32= type:int64= type:*int64= type:uint64= type:*uint64= type:float32= type:*float32=
type:float64= type:*float64= type:complex64= type:*complex64= type:complex128= type:*complex128=
type:unsafe.Pointer= type:*unsafe.Pointer= type:uintptr= type:*uintptr= type:bool=
type:*bool= type:string= type:*string= type:error= type:*error= type:func(error)·string=
type:*func(error)·string=
`)
