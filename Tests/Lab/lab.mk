# Real KMS, real guests and real QEMU without hardware: see Tests/Lab/README.md. Included by the top-level Makefile.
.PHONY: demo lab lab-shell lab-test lab-clean

demo: deps ## run two stock guests on this machine's monitors, print counters and save a PNG of each
	@Tests/Lab/demo

lab: ## prepare the KMS VM and the guests for tests and demo
	Tests/Lab/prepare

lab-shell: lab
	Tests/Lab/kms-vm --shell

lab-test: lab
	Tests/Lab/selftest

lab-clean:
	rm -rf --one-file-system "$${FRAMEPATH_LAB_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/framepath-lab}"
