#pragma once

#define CUDNN_MAJOR 9
