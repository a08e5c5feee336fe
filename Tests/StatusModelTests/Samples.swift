@testable import StatusModel

/// A status in which every field has a value.
enum FullStatus {
  static let json =
    #"{"nowNanoseconds":5000000000,"unixNanoseconds":1700000005000000000,"#
    + #""socket":"/run/framepath/framepathd.sock","#
    + #""controlSocket":"/run/framepath/framepathd-control.sock","clients":3,"clientLimit":512,"#
    + #""process":{"pid":100,"startedUnixNanoseconds":1700000000000000000,"cpuNanoseconds":1500000001,"#
    + #""residentBytes":4194304,"openDescriptors":21,"descriptorLimit":1024},"#
    + #""bufferBytes":16588800,"bufferCapacityBytes":1073741824,"bufferOverheadBytes":1048576,"#
    + #""memorySelection":"aging-best-fit","countsImports":true,"longestCopyNanoseconds":1100000,"#
    + #""seat":{"name":"seat0","terminal":7,"isShown":true,"inputDevices":3},"#
    + #""outputs":[{"name":"HDMI-A-1","kind":"kms","width":1920,"height":1080,"refreshMillihertz":59940,"#
    + #""commits":9007199254740993,"missedVblanks":2,"connected":true,"cursorSize":64,"layout":"tile 2x1","#
    + #""policy":"hybrid","redZoneNanoseconds":700000,"maximumHoldSeconds":60,"watchdogSeconds":5,"#
    + #""overlayPlanes":2,"leasePolicy":"uid 1000","leasesWaiting":1,"#
    + #""lessee":{"name":"viewer","pid":300,"uid":1000,"lesseeID":7,"sinceNanoseconds":4000000000},"#
    + #""vrr":"single","variableSlowestMillihertz":48000,"variableFastestMillihertz":144000,"isVariable":true,"#
    + #""power":"blank","powerReason":"idle","idleBlankSeconds":300,"idleOffSeconds":600,"#
    + #""vms":[{"name":"web","x":0,"y":-1,"width":960,"height":1080}],"vm":"web"}],"#
    + #""vms":[{"name":"web","pid":200,"uid":64055,"label":"libvirt-1","kind":"container","bufferBytes":8294400,"bufferLimitBytes":536870912,"#
    + #""waitingBuffers":1,"waitingBytes":4096,"weight":200,"promisedHertz":30,"cappedHertz":60,"unseenHertz":2,"#
    + #""deviceMemoryLimitBytes":268435456,"blankStoppedSeconds":60,"#
    + #""scanouts":[{"index":0,"output":"HDMI-A-1","width":960,"height":1080,"format":"XRGB8888","path":"blit","#
    + #""pathReason":"HDMI-A-1 is \"shared\"","framesPresented":100,"framesFlipped":90,"framesSuperseded":7,"#
    + #""framesRejected":1,"cpuCopies":95,"copiedBytes":18446744073709551615,"latchMedianNanoseconds":1500000,"#
    + #""latchP99Nanoseconds":9000000,"latchCount":90,"latchSumNanoseconds":200000000,"#
    + #""latchBuckets":[10,50,70,80,88,89,89,90],"lastLatchNanoseconds":4900000000,"grantedFrames":90,"#
    + #""grantedBlitNanoseconds":123456789,"missedPromises":3,"buffers":3,"generation":4,"#
    + #""parked":"HDMI-A-1 is unplugged"}]}]}"#

  /// Its value.
  static func value() throws -> DaemonStatus { try DaemonStatus(json: Array(json.utf8)) }

  /// The same with no value in any optional field, and one output and scanout.
  static func least() throws -> DaemonStatus {
    var status = try value()
    status.bufferCapacityBytes = nil
    status.seat = nil
    (status.process.residentBytes, status.process.openDescriptors, status.process.descriptorLimit) = (nil, nil, nil)
    var output = status.outputs[0]
    (output.maximumHoldSeconds, output.watchdogSeconds, output.lessee) = (nil, nil, nil)
    (output.variableSlowestMillihertz, output.variableFastestMillihertz, output.powerReason) = (nil, nil, nil)
    (output.idleBlankSeconds, output.idleOffSeconds, output.vm) = (nil, nil, nil)
    status.outputs = [output]
    var vm = status.vms[0]
    (vm.label, vm.promisedHertz, vm.cappedHertz) = (nil, nil, nil)
    (vm.deviceMemoryLimitBytes, vm.blankStoppedSeconds) = (nil, nil)
    var scanout = vm.scanouts[0]
    (scanout.output, scanout.width, scanout.height, scanout.format) = (nil, nil, nil, nil)
    (scanout.pathReason, scanout.parked, scanout.lastLatchNanoseconds) = (nil, nil, nil)
    (scanout.latchMedianNanoseconds, scanout.latchP99Nanoseconds) = (nil, nil)
    (scanout.grantedFrames, scanout.grantedBlitNanoseconds, scanout.missedPromises) = (nil, nil, nil)
    vm.scanouts = [scanout]
    status.vms = [vm]
    return status
  }
}

/// A trace in which every field has a value.
enum FullTrace {
  static let json =
    #"{"nowNanoseconds":9000000,"scanouts":[{"vm":"web","pid":200,"index":1,"output":"HDMI-A-1","frames":["#
    + #"{"frame":1,"path":"copy","copies":1,"copiedBytes":5,"readyNanoseconds":1000000,"#
    + #""presentedNanoseconds":1500000,"latchedNanoseconds":1600000,"flippedNanoseconds":3000000,"#
    + #""releasedNanoseconds":5200000,"outcome":"flipped"},"#
    + #"{"frame":2,"path":"copy","copies":1,"copiedBytes":5,"presentedNanoseconds":2500000,"#
    + #""outcome":"superseded"}]}]}"#

  /// Its value.
  static func value() throws -> DaemonTrace { try DaemonTrace(json: Array(json.utf8)) }
}
