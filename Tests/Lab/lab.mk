# Real KMS, real guests and real QEMU without hardware: see Tests/Lab/README.md. Included by the top-level Makefile.
.PHONY: lab lab-shell lab-test lab-clean

lab:
	Tests/Lab/prepare

lab-shell: lab
	Tests/Lab/kms-vm --shell

lab-test: lab
	Tests/Lab/selftest

lab-clean:
	rm -rf --one-file-system "$${FRAMEPATH_LAB_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/framepath-lab}"
