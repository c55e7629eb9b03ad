import Foundation
import HearthBench
import HearthCompute
import HearthRoofline
import Testing

@Suite struct BenchTests {
    /// A result as `--format jsonl` writes it.
    private func line(_ kernel: String, _ low: Double, _ median: Double, _ high: Double) -> String {
        """
        {"kernel":"\(kernel)","shape":"8x8","device":"cpu","path":"packed","predictedSeconds":0.1,\
        "seconds":{"median":\(median),"lowerQuartile":\(low),"upperQuartile":\(high),"sampleCount":9},\
        "cost":{"flops":1000,"bytesRead":100,"bytesWritten":25},\
        "achieved":{"flopsPerSecond":1000,"bytesPerSecond":125,"shareOfFlops":0.5,"shareOfBandwidth":0.25}}
        """
    }

    @Test func differencesInsideTheNoiseAreNone() throws {
        let before = try BenchComparison.read(
            [line("a", 0.9, 1, 1.1), line("b", 0.9, 1, 1.1), line("c", 0.9, 1, 1.1), line("old", 1, 1, 1)].joined(
                separator: "\n"))
        let after = try BenchComparison.read(
            [line("a", 1.05, 1.2, 1.3), line("b", 1.2, 1.3, 1.4), line("c", 0.5, 0.6, 0.7)].joined(separator: "\n"))
        let comparison = BenchComparison(before: before, after: after)
        #expect(comparison.rows.map(\.verdict) == [.same, .slower, .faster])
        #expect(comparison.regressions(beyond: 0.05).map(\.kernel) == ["b"])
        #expect(comparison.regressions(beyond: 0.5).isEmpty)
        #expect(comparison.unmatched == ["cpu old 8x8"])
    }

    @Test func malformedLinesAreNumbered() {
        do throws(BenchComparison.MalformedLine) {
            _ = try BenchComparison.read(line("a", 1, 1, 1) + "\n\n{\"kernel\":3}")
            Issue.record("accepted")
        } catch {
            #expect(error.number == 3)
        }
    }

    private static func ceilings(_ name: String = "") -> Ceilings {
        let value = MeasuredValue(samples: [1e9])!
        return Ceilings(
            device: "cpu", deviceName: name, driver: "d", measuredAt: 0, f32FlopsPerSecond: value,
            copyBytesPerSecond: value, readBytesPerSecond: value, triadBytesPerSecond: value,
            hostToDeviceBytesPerSecond: value, deviceToHostBytesPerSecond: value, emptySubmitSeconds: value)
    }

    @Test func thePageShowsEveryKernelAndEscapesNames() throws {
        let ceilings = Self.ceilings("A <b>\"CPU\"")
        let results = try BenchComparison.read(line("gemm.f32", 1, 1, 1) + "\n" + line("norm", 1, 1, 1))
        let page = RooflinePage(results, ceilings: ceilings).html
        for mark in ["<circle", "<tr><td>"] { #expect(page.components(separatedBy: mark).count == 3, "\(mark)") }
        #expect(page.contains("A &lt;b&gt;&quot;CPU&quot;") && !page.contains("<b>"))
    }

    @Test func everyWorkloadRunsOnTheCPU() throws {
        let device = try Device.open(.cpu)
        let ceilings = Self.ceilings()
        var kernels: Set<String> = []
        try KernelBench(device, ceilings: ceilings, minimumSeconds: 0.001).run(KernelBench.workloads) {
            kernels.insert($0.kernel)
            #expect($0.seconds.median > 0 && $0.cost.byteCount > 0)
        }
        let some: Set = ["gemm.f32", "gemv.q4_k", "attention", "rms_norm", "memory.triad", "gemm.q8_0"]
        #expect(kernels.isSuperset(of: some))
    }

    @Test func shapesAreParsedAndRefusedWithWhatIsExpected() throws {
        #expect(try BenchSelection.parse("512x2048x64", workload: "gemm") == [512, 2048, 64])
        #expect(try BenchSelection.parse("1x4096x32/8x128", workload: "attention") == [1, 4096, 32, 8, 128])
        #expect(try BenchSelection.parse("64", workload: "memory") == [64])
        let wrong = [
            ("512x2048", "gemm"), ("", "gemm"), ("0x1x1", "gemm"), ("1x1x-1", "quant"), ("1xx1", "gemm"),
            ("99999999999999999999x1x1", "gemm"), ("4x4x8x2x64", "attention"), ("4x4x8/3x64", "attention"),
            ("4x4x8/8x513", "attention"), ("4/4", "gemv"), ("4", "nothing"),
        ]
        for (text, workload) in wrong {
            #expect(throws: BenchSelection.MalformedShape.self, "\(workload) \(text)") {
                try BenchSelection.parse(text, workload: workload)
            }
        }
    }

    @Test func casesAreParsedAndRunAsTheySay() throws {
        let device = try Device.open(.cpu)
        let cases: [(String, String, flops: Double, bytes: Double)] = [
            ("gemm 32x64x96 x3", "gemm.f32", 393_216, 45_056), ("gemv 64x64 q8_0", "gemv.q8_0", 8192, 4864),
            ("memory 1 triad x2", "memory.triad", 0, 3_145_728), ("norm 4x64", "rms_norm", 1024, 2304),
        ]
        for (text, kernel, flops, bytes) in cases {
            let one = try BenchCase(text)
            #expect(one.work.kernel == kernel && one.work.cost.flops == flops && one.work.cost.byteCount == bytes)
            let times = try KernelBench(device, ceilings: Self.ceilings()).run(one)
            #expect(times.map(\.work) == [one.preparation, one.work] && times.allSatisfy { $0.seconds > 0 })
        }
        let malformed: [(String, String)] = [
            ("gemm", "expected WORKLOAD SHAPE"), ("quant 1x2x3", "expected WORKLOAD SHAPE"),
            ("gemm 3x4", "gemm takes MxNxK"),
            ("gemm 8x8x8 f31", "not in 'f31'"), ("gemm 8x8x8 f32 x0", "x1 to x1000000"),
            ("gemm 8x8x8 q8_0", "blocks of 32"),
            ("memory 4 write", "no stream 'write'"), ("norm 4x4 f32 x2 x3", "'x2' is too much"),
        ]
        for (text, problem) in malformed {
            let error = #expect(throws: BenchCase.Malformed.self) { try BenchCase(text) }
            #expect(error?.description.contains(problem) == true, "\(error?.description ?? "")")
        }
    }

    @Test func selectionsChooseShapesTypesAndColdCaches() throws {
        let device = try Device.open(.cpu, threadCount: 1)
        let value = MeasuredValue(samples: [1e9])!
        let ceilings = Ceilings(
            device: "cpu", deviceName: "", driver: "", measuredAt: 0, f32FlopsPerSecond: value,
            copyBytesPerSecond: value, readBytesPerSecond: value, triadBytesPerSecond: value,
            hostToDeviceBytesPerSecond: value, deviceToHostBytesPerSecond: value, emptySubmitSeconds: value,
            int8OpsPerSecond: MeasuredValue(samples: [4e9])!)
        var selection = BenchSelection()
        (selection.shapes, selection.dtypes, selection.isCold) = (
            [[3, 64, 256]], [.f32, .f16, .bf16, .i8, .q4_k], true
        )
        var results: [KernelBench.Result] = []
        try KernelBench(device, ceilings: ceilings, minimumSeconds: 0.001).run(["gemm"], selection) {
            results.append($0)
        }
        #expect(results.map(\.kernel) == ["gemm.f32", "gemm.f16", "gemm.bf16", "gemm.i8", "gemm.q4_k"])
        #expect(results.allSatisfy { $0.shape == "3x64x256" && $0.cache == "cold" && $0.threads == 1 })
        // An integer product is held against the integer roof.
        let i8 = results[3]
        #expect(abs(i8.achieved.shareOfFlops! - i8.achieved.flopsPerSecond / 4e9) < 1e-12)
    }

    @Test func peerLinesSpeakTheProtocol() throws {
        var lines: [String] = []
        let bench = try PeerBench(
            try Device.open(.cpu, threadCount: 2), cases: ["sq_64", "bat_512x64"], minimumSeconds: 0.001
        ) {
            lines.append(String(decoding: try JSONEncoder().encode($0), as: UTF8.self))
        }
        try bench.run("gemm")
        #expect(lines.count == 2)
        for line in lines {
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            #expect((object?["ms"] as? Double ?? 0) > 0 && (object?["reps"] as? Int ?? 0) >= 5)
        }
    }
}
